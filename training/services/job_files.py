"""The files of a run's training process: what it is given, and what it gives back. It uses no rows."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils import timezone

from classifier import version_files
from classifier.core import tag_storage
from classifier.core.artifact import ReleaseError
from classifier.core.ensemble import METADATA_KEY
from classifier.fitting.data.feature_store import FeatureStore
from classifier.fitting.jobs.clips import TRAINED_ON, RunClips
from classifier.fitting.jobs.description import JobDescription, JobFolder
from classifier.models import ModelVersion
from training.models import DatasetSnapshot, SnapshotClip, TrainingRun
from training.neighbours import comparable_versions
from training.services import clip_tags, preflight, run_storage
from training.services.child import thread_count

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """The inputs of a training process, written into a folder.

    Attributes
    ----------
    trained_on, withdrawn
        Number of clips that are fitted on, and of those left out because they were withdrawn meanwhile.
    """

    folder: JobFolder
    description: JobDescription
    trained_on: int
    withdrawn: int


@contextlib.contextmanager
def prepared(
    run: TrainingRun, *, snapshot: DatasetSnapshot, features: Path, base: ModelVersion | None
) -> Iterator[Job]:
    """Write the inputs of `run`; the files of the version in service are there for the time of the block.

    Raises
    ------
    ReleaseError
        The files of the version in service are damaged, and a quick run cannot do without them.
    """
    quick = run.kind == TrainingRun.Kind.QUICK
    with contextlib.ExitStack() as stack:
        base_folder = _base_folder(run, base, stack)
        labels = (
            preflight.labels_of_quick(base, snapshot.counts)
            if quick
            else preflight.labels_of_full(snapshot.counts)
        )
        clips, withdrawn = _clips(
            snapshot, FeatureStore.open(features), labels, base=base, with_embeddings=quick
        )
        description = JobDescription(
            kind="quick" if quick else "full",
            architecture=run.architecture,
            epochs=run.epochs,
            seed=run.seed,
            name=f"{timezone.localtime(run.created):%Y-%m-%d} {run.kind} {run.pk.hex[:4]}",
            labels=tuple(labels),
            snapshot=snapshot.digest,
            base=base_folder,
            base_pk=base.pk if base and base_folder else None,
            features=features,
            threads=thread_count(),
        )
        trained_on = TRAINED_ON if quick else TRAINED_ON[:1]
        yield Job(
            folder=run_storage.write_job(run.pk, description, clips),
            description=description,
            trained_on=len(clips.on(*trained_on)),
            withdrawn=withdrawn,
        )


def _base_folder(run: TrainingRun, base: ModelVersion | None, stack: contextlib.ExitStack) -> Path | None:
    """Folder of the version in service; None where a full run has to do without."""
    if base is None:
        return None
    try:
        return stack.enter_context(version_files.folder(base))
    except ReleaseError:
        if run.kind == TrainingRun.Kind.QUICK:
            raise
        # A full run may be the cure for a damaged version.
        log.exception("run %s is evaluated without the version in service", run.pk)
        return None


def _clips(
    snapshot: DatasetSnapshot,
    features: FeatureStore,
    labels: list[str],
    *,
    base: ModelVersion | None,
    with_embeddings: bool,
) -> tuple[RunClips, int]:
    """Give the clips that are still there, and the number of those that are not."""
    place = {key: row for row, key in enumerate(features.keys)}
    target = {label: number for number, label in enumerate(labels)}
    tagger = _tagger_of(base)
    seen = _trained_on_by(base)
    comparable = set(comparable_versions(base).values_list("pk", flat=True)) if base else set()
    needed = {"clip__embedding": with_embeddings, "clip__tags": bool(tagger)}
    rows = snapshot.entries.select_related("clip").order_by("clip_key").defer("clip__comment")
    rows = rows.with_columns(*(name for name, is_needed in needed.items() if is_needed))
    kept = [entry for entry in rows if entry.clip is not None and entry.features_sha256 in place]
    tags = _stack([_tags(entry, tagger) for entry in kept])
    clips = RunClips(
        rows=np.array([place[entry.features_sha256] for entry in kept], dtype=np.int64),
        targets=np.array([target.get(entry.genre, -1) for entry in kept], dtype=np.int64),
        genres=np.array([entry.genre for entry in kept], dtype=np.str_),
        sides=np.array([str(entry.split) for entry in kept], dtype=np.str_),
        keys=np.array([str(entry.clip_key) for entry in kept], dtype=np.str_),
        names=np.array(
            [entry.clip.known_as or str(entry.clip_key) for entry in kept if entry.clip], dtype=np.str_
        ),
        groups=np.array([entry.group for entry in kept], dtype=np.str_),
        seen=np.array([entry.clip_key in seen for entry in kept], dtype=np.bool_),
        embeddings=_stack([_embedding(entry, comparable) if with_embeddings else None for entry in kept]),
        tags=tags.astype(np.float16),
        taggers=np.where(np.isfinite(tags[:, -1:]).any(axis=1), tagger, ""),
    )
    return clips, snapshot.entries.count() - len(kept)


def _stack(embeddings: list[Any]) -> Any:
    """(n, n_embedding) float32; rows of NaN for None and for vectors of another size."""
    size = max((len(vector) for vector in embeddings if vector is not None), default=0)
    table = np.full((len(embeddings), size), np.nan, dtype=np.float32)
    for number, vector in enumerate(embeddings):
        if vector is not None and len(vector) == size:
            table[number] = vector
    return table


def _embedding(entry: SnapshotClip, versions: set[int]) -> Any:
    """Give the stored embedding of a clip if one of some versions gave it."""
    clip = entry.clip
    return clip.embedding if clip is not None and clip.opinion_version_id in versions else None


def _tagger_of(base: ModelVersion | None) -> str:
    """Version of the tagger that the version in service is joined with; '' where it is joined with none."""
    entry = base.metadata.get(METADATA_KEY) if base is not None else None
    return str(entry.get("tagger", "")) if isinstance(entry, dict) else ""


def _tags(entry: SnapshotClip, tagger: str) -> Any:
    """Give the stored output of this tagger for a clip."""
    if not tagger or entry.clip is None or entry.clip.tagger_version != tagger:
        return None
    tags = clip_tags.tags_of(entry.clip)
    return None if tags is None else tag_storage.to_array(tags)


def _trained_on_by(base: ModelVersion | None) -> set[Any]:
    """Give the clips that a version was trained on, on which it must not be compared."""
    entries = SnapshotClip.objects.filter(snapshot__run__candidate=base, split__in=TRAINED_ON)
    return set(entries.values_list("clip_key", flat=True)) if base is not None else set()
