"""What a training worker keeps on its own disk: features in one mapped file, and the state of a run.

Everything here can be made again from the rows and the storage; another machine that takes a run over does.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings

from classifier.core.summary import COLUMNS
from classifier.fitting.data.feature_store import FeatureStore, FeatureStoreError, FeatureStoreWriter
from training.errors import TrainingError
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingRun
from training.services.features import N_MELS, ClipFeatures, FeaturesError, read_features

log = logging.getLogger(__name__)

JOB_FILE, ENTRIES_FILE, LOG_FILE = "job.json", "entries.npz", "output.log"
RESULT_FOLDER = "result"
_BATCH = 200


def root() -> Path:
    return Path(settings.TRAINING_DIR)


def run_folder(run_id: UUID) -> Path:
    """Give the folder that holds the state of a run."""
    return root() / "runs" / run_id.hex


def _material_folder(digest: str) -> Path:
    return root() / "material" / digest


@dataclass(frozen=True, slots=True)
class Gathered:
    """The features of a snapshot on this disk: where, how many clips, how many of them were here before."""

    folder: Path
    clips: int
    cached: int


def gather(snapshot: DatasetSnapshot, *, on_clip: Callable[[int, int], None]) -> Gathered:
    """Bring the features of every clip of a snapshot onto this disk; each is fetched once.

    Raises
    ------
    TrainingError
        ``run_bad_clip``: the features of a clip are gone, damaged, or not those that were frozen.
    OSError
        There is no room, or the storage is away.
    """
    folder = _material_folder(snapshot.digest)
    total = snapshot.entries.count()
    try:
        here = FeatureStore.open(folder)
    except FeatureStoreError:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        return Gathered(folder, total, len(here))
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = _earlier()
    writer = FeatureStoreWriter(folder, n_mels=N_MELS, n_summary=len(COLUMNS))
    cached = 0
    try:
        for done, entry in enumerate(_entries(snapshot), start=1):
            if found := before.get(entry.features_sha256):
                material, row = found
                summary = material.summary[row]
                writer.add(
                    entry.features_sha256,
                    material.levels(row),
                    float(material.floor_db[row]),
                    None if np.isnan(summary).any() else summary,
                )
                cached += 1
            elif entry.clip is not None:
                features = _checked(entry, entry.clip)
                if features is not None:
                    writer.add(entry.features_sha256, features.levels, features.floor_db, features.summary)
            on_clip(done, total)
        writer.close()
    except BaseException:
        writer.discard()
        raise
    return Gathered(folder, total, cached)


def _earlier() -> dict[str, tuple[FeatureStore, int]]:
    """Find what earlier runs left here, by the hash of the features."""
    found: dict[str, tuple[FeatureStore, int]] = {}
    for folder in _subfolders(root() / "material"):
        try:
            material = FeatureStore.open(folder)
        except FeatureStoreError:
            continue
        found |= {key: (material, row) for row, key in enumerate(material.keys)}
    return found


def _entries(snapshot: DatasetSnapshot) -> Iterator[SnapshotClip]:
    entries = snapshot.entries.select_related("clip").order_by("clip_key")
    return entries.defer("clip__embedding", "clip__opinion", "clip__comment").iterator(chunk_size=_BATCH)


def _checked(entry: SnapshotClip, clip: Clip) -> ClipFeatures | None:
    """Read the features of a clip; None where it was withdrawn in this moment."""
    try:
        features = read_features(clip)
    except FeaturesError as error:
        if not Clip.objects.filter(pk=clip.pk).exists():
            return None
        log.warning("clip %s: %s", clip.pk, error)
        raise TrainingError("run_bad_clip", _name(clip) | {"why": "unreadable"}) from error
    if features.sha256 != entry.features_sha256:
        raise TrainingError("run_bad_clip", _name(clip) | {"why": "changed"})
    return features


def _name(clip: Clip) -> dict[str, str]:
    return {"clip": str(clip.pk), "title": clip.title or clip.dataset_key or str(clip.pk)}


def write_job(run: TrainingRun, job: dict[str, Any], entries: dict[str, Any]) -> Path:
    """Put down what the numeric part is to do; the state of an interrupted fit beside it stays."""
    folder = run_folder(run.pk)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / RESULT_FOLDER, ignore_errors=True)
    np.savez(folder / ENTRIES_FILE, **entries)
    (folder / JOB_FILE).write_text(json.dumps(job, indent=1), encoding="utf-8")
    return folder


def forget(run_id: UUID) -> None:
    """Remove the state of a run that is over."""
    shutil.rmtree(run_folder(run_id), ignore_errors=True)


def tidy(*, keep: str = "") -> None:
    """Remove what finished runs left, and material that holds a clip which was withdrawn since.

    Parameters
    ----------
    keep
        The digest of a snapshot; with one, the material of all others goes too.
    """
    active = {
        pk.hex
        for pk in TrainingRun.objects.filter(status__in=TrainingRun.ACTIVE).values_list("pk", flat=True)
    }
    for folder in _subfolders(root() / "runs"):
        if folder.name not in active:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in _subfolders(root() / "material"):
        snapshots = DatasetSnapshot.objects.filter(digest=folder.name)
        in_use = snapshots.filter(run__status__in=TrainingRun.ACTIVE).exists()
        withdrawn = snapshots.filter(entries__clip__isnull=True).exists()
        if not in_use and (withdrawn or (keep and folder.name != keep)):
            shutil.rmtree(folder, ignore_errors=True)


def _subfolders(folder: Path) -> list[Path]:
    try:
        # A hidden one is being written.
        return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    except FileNotFoundError:
        return []
