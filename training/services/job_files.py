"""What the numeric part of a run is given, and what it gives back: files in one folder, no rows."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils import timezone

from classifier import version_files
from classifier.core.artifact import ReleaseError, backbone_of
from classifier.fitting.data.feature_store import FeatureStore
from classifier.models import ModelVersion
from training.models import DatasetSnapshot, SnapshotClip, TrainingRun
from training.services import preflight, run_storage
from training.services.child import thread_count

log = logging.getLogger(__name__)

Split = SnapshotClip.Split
JUDGEMENT_FILE = "judgement.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A folder that holds all that the numeric part needs.

    Attributes
    ----------
    learnt, withdrawn
        Clips that are learnt from, and those that are left out because they were withdrawn meanwhile.
    """

    folder: Path
    name: str
    labels: list[str]
    learnt: int
    withdrawn: int

    @property
    def result(self) -> Path:
        return self.folder / run_storage.RESULT_FOLDER

    def judgement(self) -> dict[str, Any]:
        """Give what the version and the one in service said about the held-out clips."""
        judgement: dict[str, Any] = json.loads((self.folder / JUDGEMENT_FILE).read_text(encoding="utf-8"))
        return judgement


@contextlib.contextmanager
def prepared(
    run: TrainingRun, *, snapshot: DatasetSnapshot, material: Path, base: ModelVersion | None
) -> Iterator[Job]:
    """Put down what `run` is to learn, with the files of the version in service beside it, for a block.

    Raises
    ------
    ReleaseError
        The files of the version in service are damaged, and a quick run cannot do without them.
    """
    quick = run.kind == TrainingRun.Kind.QUICK
    with contextlib.ExitStack() as stack:
        base_folder: Path | None = None
        if base is not None:
            try:
                base_folder = stack.enter_context(version_files.folder(base))
            except ReleaseError:
                if quick:
                    raise
                # A run may be the very cure for this.
                log.exception("run %s is judged without the version in service", run.pk)
        labels = (
            preflight.labels_of_quick(base, snapshot.counts)
            if quick
            else preflight.labels_of_full(snapshot.counts)
        )
        entries, withdrawn = _entries(
            snapshot, FeatureStore.open(material), labels, base=base, with_embeddings=quick
        )
        name = f"{timezone.localtime(run.created):%Y-%m-%d} {run.kind} {run.pk.hex[:4]}"
        job = {
            "kind": run.kind,
            "architecture": run.architecture,
            "epochs": run.epochs,
            "seed": run.seed,
            "name": name,
            "labels": labels,
            "snapshot": snapshot.digest,
            "base": str(base_folder) if base_folder else None,
            "base_pk": base.pk if base and base_folder else None,
            "material": str(material),
            "threads": thread_count(),
        }
        learnt = [*preflight.LEARNT] if quick else [Split.TRAIN]
        yield Job(
            folder=run_storage.write_job(run, job, entries),
            name=name,
            labels=labels,
            learnt=int((np.isin(entries["sides"], learnt) & (entries["targets"] >= 0)).sum()),
            withdrawn=withdrawn,
        )


def _entries(
    snapshot: DatasetSnapshot,
    material: FeatureStore,
    labels: list[str],
    *,
    base: ModelVersion | None,
    with_embeddings: bool,
) -> tuple[dict[str, Any], int]:
    """Give a row per clip that is still there, and count those that are not."""
    place = {key: row for row, key in enumerate(material.keys)}
    target = {label: number for number, label in enumerate(labels)}
    seen = _learnt_by(base)
    rows = snapshot.entries.select_related("clip", "clip__opinion_version").order_by("clip_key")
    unneeded = () if with_embeddings else ("clip__embedding",)
    rows = rows.defer("clip__opinion", "clip__comment", *unneeded)
    kept = [entry for entry in rows if entry.clip is not None and entry.features_sha256 in place]
    embeddings = [_embedding(entry, base) if with_embeddings else None for entry in kept]
    size = max((len(vector) for vector in embeddings if vector is not None), default=0)
    table = np.full((len(kept), size), np.nan, dtype=np.float32)
    for number, vector in enumerate(embeddings):
        if vector is not None and len(vector) == size:
            table[number] = vector
    return {
        "rows": np.array([place[entry.features_sha256] for entry in kept], dtype=np.int64),
        "targets": np.array([target.get(entry.genre, -1) for entry in kept], dtype=np.int64),
        "genres": np.array([entry.genre for entry in kept], dtype=np.str_),
        "sides": np.array([str(entry.split) for entry in kept], dtype=np.str_),
        "keys": np.array([str(entry.clip_key) for entry in kept], dtype=np.str_),
        "names": np.array(
            [entry.clip.known_as or str(entry.clip_key) for entry in kept if entry.clip], dtype=np.str_
        ),
        "groups": np.array([entry.group for entry in kept], dtype=np.str_),
        "seen": np.array([entry.clip_key in seen for entry in kept], dtype=np.bool_),
        "embeddings": table,
    }, snapshot.entries.count() - len(kept)


def _embedding(entry: SnapshotClip, base: ModelVersion | None) -> Any:
    """Give the stored embedding of a clip if the version in service would give the same one."""
    clip = entry.clip
    if base is None or clip is None or clip.opinion_version is None or clip.embedding is None:
        return None
    same = backbone_of(clip.opinion_version.metadata | {"sha256": clip.opinion_version.sha256})
    return clip.embedding if same == backbone_of(base.metadata | {"sha256": base.sha256}) else None


def _learnt_by(base: ModelVersion | None) -> set[Any]:
    """Name the clips that a version has learnt from, on which it must not be compared."""
    entries = SnapshotClip.objects.filter(snapshot__run__candidate=base, split__in=preflight.LEARNT)
    return set(entries.values_list("clip_key", flat=True)) if base is not None else set()
