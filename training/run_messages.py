"""Sentences about training runs: why one cannot start or has failed, and the lines of its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy, ngettext_lazy

from classifier.core.architectures import EFFICIENTNET_B0, FEATURE_MLP, MFCC_KNN, RESIDUAL_CNN

__all__ = ["RUN_ERRORS", "architecture_words", "in_words"]

RUN_ERRORS = {
    # Parameters.
    "run_kind": gettext_lazy("A run is quick or full."),
    "run_architecture": gettext_lazy("There is no such architecture here."),
    "run_quick_architecture": gettext_lazy(
        "A quick run keeps the architecture of the classifier in service. Choose a full run for another one."
    ),
    "run_epochs": gettext_lazy("Epochs are a whole number from 1 to {most}."),
    "run_seed": gettext_lazy("The seed is a whole number from 0 to {most}."),
    # Too little training data.
    "run_no_base": gettext_lazy(
        "The classifier in service cannot be taught quickly: it does not keep what it has learnt from. "
        "Choose a full run."
    ),
    "run_nothing_new": gettext_lazy(
        "Nothing is new: the classifier in service has learnt from every approved clip. Approve more clips "
        "first."
    ),
    "run_few_genres": ngettext_lazy(
        "A full run needs at least two genres with {least} approved clips each; there is {genres}. Approve "
        "more clips or import a dataset.",
        "A full run needs at least two genres with {least} approved clips each; there are {genres}. Approve "
        "more clips or import a dataset.",
        "genres",
    ),
    "run_no_validation": gettext_lazy(
        "No clips could be set aside for validation. Approve clips by more artists, or import a dataset."
    ),
    # Failures.
    "run_bad_clip": gettext_lazy(
        "The stored features of “{title}” are damaged or have changed ({why}). Reject or remove this clip, "
        "then start again. Its id is {clip}."
    ),
    "run_disk_full": gettext_lazy(
        "The training worker's disk is full ({place}). Make room there, then start again."
    ),
    "run_lost": gettext_lazy(
        "The training worker stopped several times without getting any further. If its machine runs out of "
        "memory, choose a smaller architecture; else tell whoever runs this site."
    ),
    "run_fit_failed": gettext_lazy(
        "The training itself failed: {detail}. Try again; if it happens again, tell whoever runs this site."
    ),
    "run_export_failed": gettext_lazy(
        "The trained network could not be written as one that answers the same: {detail}. Start again with "
        "another seed."
    ),
    "run_base_damaged": gettext_lazy(
        "The files of the classifier in service cannot be read: {detail}. Put another version into service, "
        "then start again."
    ),
    "run_storage": gettext_lazy("The candidate could not be stored: {detail}. Start again in a while."),
    "run_internal": gettext_lazy(
        "Something went wrong on our side while this run was trained. Start it again; if it happens again, "
        "tell whoever runs this site."
    ),
}

_LINES: dict[str, Any] = {
    "claimed": gettext_lazy("A training worker took the run."),
    "claimed_again": gettext_lazy("A training worker took the run over (attempt {attempt})."),
    "lost": gettext_lazy("The worker fell silent; the run waits for another one."),
    "snapshot": ngettext_lazy(
        "{clips} clip was frozen: {train} to learn from, {rest} to measure with.",
        "{clips} clips were frozen: {train} to learn from, {rest} to measure with.",
        "clips",
    ),
    "withdrawn": ngettext_lazy(
        "{clips} clip was withdrawn since and is left out.",
        "{clips} clips were withdrawn since and are left out.",
        "clips",
    ),
    "features": ngettext_lazy(
        "Features of {clips} clip are at hand, {cached} of them from before.",
        "Features of {clips} clips are at hand, {cached} of them from before.",
        "clips",
    ),
    "fit_quick": ngettext_lazy(
        "The last layer is fitted on {clips} clip beside what the network remembers.",
        "The last layer is fitted on {clips} clips beside what the network remembers.",
        "clips",
    ),
    # Both are at least two.
    "fit_full": gettext_lazy("{architecture} is trained on {clips} clips of {genres} genres."),
    "resumed": gettext_lazy("Training goes on after epoch {epoch}."),
    "restarted": gettext_lazy("Training starts over: no state of it is on this machine."),
    "best": gettext_lazy("The network is written."),
    "judged": ngettext_lazy(
        "Measured on the frozen test set and on {clips} clip that was held out.",
        "Measured on the frozen test set and on {clips} clips that were held out.",
        "clips",
    ),
    "saved": gettext_lazy("The candidate is kept as {name}."),
    "cancelled": gettext_lazy("The run was cancelled."),
    "failed": gettext_lazy("The run failed."),
    "try_again": gettext_lazy("That attempt failed; the run is tried again."),
    # Notes of the preflight.
    "genre_short": ngettext_lazy(
        "{genre} is not taught yet: it lacks {missing} approved clip.",
        "{genre} is not taught yet: it lacks {missing} approved clips.",
        "missing",
    ),
    "genres_forgotten": gettext_lazy(
        "A full run learns only from clips that are here, and of these genres there are fewer than "
        "{least}, so that they would be forgotten: {genres}."
    ),
    "nothing_held_out": gettext_lazy(
        "Fewer than {least} recordings: all are learnt from, and none are held out for comparison."
    ),
    "grouped_by_artists": gettext_lazy(
        "Few people contributed, so that clips of one person may lie on both sides of the split."
    ),
    "grouped_by_recordings": gettext_lazy(
        "Few artists are known, so that clips of one artist may lie on both sides of the split: figures on "
        "held-out clips flatter."
    ),
    "rescued": gettext_lazy(
        "{genre} has so few clips that those which would have been held out are learnt from as well."
    ),
}


def in_words(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Return a line of the log of a run, or a note of the preflight, in the active language."""
    line = _LINES.get(code)
    # The format of a line with plural forms chooses one by its parameters.
    return str(line.format(**(params or {}))) if line is not None else code


_ARCHITECTURES = {
    RESIDUAL_CNN.name: (
        gettext_lazy("Genreweb's own network"),
        gettext_lazy("A small residual network. The best choice unless you want to compare."),
    ),
    EFFICIENTNET_B0.name: (
        gettext_lazy("EfficientNet-B0"),
        gettext_lazy("A larger network from image recognition. Several times slower; for comparison."),
    ),
    MFCC_KNN.name: (
        gettext_lazy("MFCC k-NN"),
        gettext_lazy("The textbook method: no training, an answer by the nearest clips. A baseline."),
    ),
    FEATURE_MLP.name: (
        gettext_lazy("Feature MLP"),
        gettext_lazy("A small network on 57 summary features. Seconds; a baseline. Needs clips with sound."),
    ),
}


def architecture_words(name: str) -> tuple[str, str]:
    """Give title and explanation of an architecture in the reader's language."""
    known = _ARCHITECTURES.get(name)
    return (str(known[0]), str(known[1])) if known else (name, "")
