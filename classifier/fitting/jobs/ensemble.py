"""Joining a candidate with the tagger: a head fitted anew on stored examples and the clips of a run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifier.core.artifact import architecture, file_in, file_sha256, read_metadata
from classifier.core.ensemble import METADATA_KEY, Ensemble
from classifier.core.music_detection import DETECTOR_FILE
from classifier.core.recordings import RECORDING_HEAD_FILE
from classifier.core.verdict import HEAD_FILE, HEAD_REPLAY_FILE, TaggerHead
from classifier.fitting.artifact.metadata import amend_metadata
from classifier.fitting.head_replay import merge, read_head_replay, without_rare
from classifier.fitting.jobs.clips import TRAINED_ON, RunClips
from classifier.fitting.jobs.description import JobDescription
from classifier.fitting.tagger_head import HeadExamples, fit_head, write_head

LEAST_EXAMPLES: Final = 8
"""Of a label, for the head to know it; of one with fewer, the network alone decides."""


def write_ensemble(job: JobDescription, clips: RunClips, out: Path) -> None:
    """Join the candidate in `out` with the tagger as the version in service is, by a head of its own.

    The clips that the head of a release was fitted on are replayed; those of the site are given anew each
    time, so that one that was withdrawn or relabelled since has no effect. Where the version in service is
    not joined, or no head can be fitted, the candidate is not joined; a quick run's candidate keeps the head
    in service where the examples of that one are not stored.

    Raises
    ------
    ReleaseError
        The files of the version in service cannot be used.
    """
    if job.base is None or not architecture(read_metadata(out)).is_network:
        return
    metadata = read_metadata(job.base)
    ensemble = Ensemble.load(job.base, metadata)
    if ensemble is None:
        return
    entry = metadata[METADATA_KEY]
    stored = read_head_replay(job.base, entry)
    if stored is None and job.kind == "quick":
        _keep_head(job.base, out, entry)
        return
    new = _examples(job, clips, tagger=ensemble.tagger_version, width=_width(stored, ensemble.head))
    examples = without_rare(new if stored is None else _merged(stored, new, clips), least=LEAST_EXAMPLES)
    if len(np.unique(examples.targets)) < 2:  # there is nothing to tell apart
        return
    head = fit_head(examples, tagger=ensemble.tagger_version)
    counts = np.bincount(examples.targets, minlength=len(job.labels))
    described = write_head(
        head, out, trained_on={label: int(n) for label, n in zip(job.labels, counts, strict=True) if n}
    )
    joined = {
        **entry,
        "head_sha256": described["sha256"],
        "trained_on": described["trained_on"],
        # Only the clips of a release are passed on, never those of a site.
        "replay_sha256": None if stored is None else _copy(HEAD_REPLAY_FILE, job.base, out),
    }
    _write_entry(joined, job.base, out)


def _keep_head(base: Path, out: Path, entry: Mapping[str, Any]) -> None:
    if entry.get("head_sha256"):
        _copy(HEAD_FILE, base, out)
    _write_entry(entry, base, out)


def _write_entry(entry: Mapping[str, Any], base: Path, out: Path) -> None:
    for key, name in (("detector_sha256", DETECTOR_FILE), ("recording_head_sha256", RECORDING_HEAD_FILE)):
        if entry.get(key):
            _copy(name, base, out)
    amend_metadata(out, **{METADATA_KEY: dict(entry)})


def _copy(name: str, base: Path, out: Path) -> str:
    """Copy a file of the version in service; give its SHA-256."""
    shutil.copyfile(file_in(base, name), out / name)
    return file_sha256(out / name)


def _width(stored: HeadExamples | None, head: TaggerHead | None) -> int | None:
    """Features of a row, where it is known."""
    if stored is not None:
        return int(stored.rows.shape[1])
    return None if head is None else len(head.weights)


def _examples(job: JobDescription, clips: RunClips, *, tagger: str, width: int | None) -> HeadExamples:
    """The run's clips to be fitted on that have a row by this tagger."""
    found = [
        (place, tags.row)
        for place in clips.on(*TRAINED_ON).tolist()
        if (tags := clips.tags_of(place)) is not None
        and tags.version == tagger
        and width in (None, len(tags.row))
    ]
    places = np.array([place for place, _ in found], np.intp)
    return HeadExamples(
        rows=np.stack([row for _, row in found]) if found else np.empty((0, width or 0), np.float32),
        targets=clips.targets[places].astype(np.intp),
        shares=np.ones(len(places)),
        labels=job.labels,
        names=tuple(clips.names[places].tolist()),
    )


def _merged(stored: HeadExamples, new: HeadExamples, clips: RunClips) -> HeadExamples:
    """Of stored clips that are in the run too, those held out are left out, others have their label now."""
    learnt = np.isin(clips.sides, TRAINED_ON)
    return merge(
        stored,
        new,
        known=dict(zip(clips.names[learnt].tolist(), clips.genres[learnt].tolist(), strict=True)),
        without=clips.names[~learnt].tolist(),
    )
