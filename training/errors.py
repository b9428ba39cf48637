"""Errors of clips, runs and versions: codes for programs and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy

from genreweb.domain_errors import DomainError
from library.errors import TrackError
from training.run_messages import RUN_ERRORS

_MESSAGES = {
    "unknown_decision": gettext_lazy("A clip is approved, relabelled or rejected; nothing else."),
    "clip_gone": gettext_lazy("This clip is no longer there: it was withdrawn or deleted."),
    "not_reviewable": gettext_lazy(
        "This clip cannot be reviewed: it is still being checked, or was not accepted."
    ),
    "already_reviewed": gettext_lazy("“{title}” was reviewed meanwhile by {who}: {what} ({genre})."),
    "changed_meanwhile": gettext_lazy("“{title}” has changed meanwhile. Look at it again."),
    "nothing_to_undo": gettext_lazy("There is no decision left to take back."),
    "reason_missing": gettext_lazy("Say why, so that the contributor knows."),
    "too_many_decisions": gettext_lazy("At most {most} decisions can be sent at once."),
    "act_reason": gettext_lazy("Say why. Whoever looks at the log later will want to know."),
    "act_reason_long": gettext_lazy("Give the reason in at most {most} characters."),
    "already_in_service": gettext_lazy("{version} is in service already."),
    "gate_refused": gettext_lazy(
        "{version} was not put into service. {reasons} It can be put into service all the same."
    ),
    "bundle_contents": gettext_lazy(
        "This is no bundle of a version: “{what}” is missing, does not belong there or cannot be read."
    ),
    "bundle_damaged": gettext_lazy(
        "{version} cannot be taken along, because its files cannot be loaded: {why}"
    ),
    "bundle_does_not_run": gettext_lazy(
        "The network in this bundle ends the program that tries it. It is damaged, or was made to do harm."
    ),
    "bundle_hash": gettext_lazy(
        "The bundle is damaged: “{name}” does not match its hash. Fetch the bundle again."
    ),
    "bundle_metadata": gettext_lazy(
        "The bundle says something about its version that makes no sense: {what}."
    ),
    "bundle_not_zip": gettext_lazy(
        "This is no ZIP archive, or it is damaged. Choose the bundle that another site gave you."
    ),
    "bundle_too_large": gettext_lazy("The bundle is too large: {most} MB at most."),
    "bundle_unusable": gettext_lazy("The version in this bundle cannot be used here. {why}"),
    "nothing_before": gettext_lazy("There is no version before this one to go back to."),
    "service_changed": gettext_lazy(
        "Somebody else changed the version in service meanwhile: it is {version} now. Look again."
    ),
    "version_damaged": gettext_lazy(
        "{version} cannot be put into service, because its files cannot be loaded: {why}"
    ),
    "rights_missing": gettext_lazy("Confirm that you may give this recording away for training."),
    "unknown_genre": gettext_lazy("There is no such genre here."),
    "unknown_track": gettext_lazy("There is no such track among yours."),
    "track_gone": gettext_lazy(
        "The track was deleted before the clip was cut from it. Send the recording itself instead."
    ),
    "piece_invalid": gettext_lazy("Say in seconds where the piece starts and ends, the start first."),
    "piece_too_short": gettext_lazy("The piece is too short: take at least {minimum:g} s."),
    "piece_too_long": gettext_lazy("The piece is too long: take at most {maximum:g} s."),
    "piece_outside": gettext_lazy(
        "The piece starts at {start:g} s, but the recording ends at {duration:g} s. Choose another piece."
    ),
    "silent": gettext_lazy("There is hardly any sound in it. Send a piece in which music plays."),
}


class TrainingError(DomainError):
    """A request about clips, runs or versions that cannot be met."""

    refusals: ClassVar[Mapping[str, Any]] = {**TrackError.refusals, **_MESSAGES}
    faults: ClassVar[Mapping[str, Any]] = {**TrackError.faults, **RUN_ERRORS}


def training_sentence(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Say in the reader's language what `code` means and what to do next."""
    return TrainingError(code, params).message
