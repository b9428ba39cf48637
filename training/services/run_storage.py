"""Files of a training worker on its own disk: the feature store, and the state of a run.

All of them can be made again from the rows and the storage, as another machine does that takes a run over.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings

from classifier.core.summary import COLUMNS
from classifier.fitting.data.feature_store import FeatureStore, FeatureStoreError, FeatureStoreWriter
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.jobs.description import JobDescription, JobFolder
from training.errors import TrainingError
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingRun
from training.services.features import N_MELS, ClipFeatures, FeaturesError, read_features

log = logging.getLogger(__name__)

_BATCH = 200


def root() -> Path:
    return Path(settings.TRAINING_DIR)


def run_folder(run_id: UUID) -> Path:
    """Give the folder that holds the state of a run."""
    return root() / "runs" / run_id.hex


def _features_root() -> Path:
    # The name on disk is older than the word feature store.
    return root() / "material"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The feature store of a snapshot: its folder, its clips, those of them that were here before."""

    folder: Path
    clips: int
    cached: int


def gather(snapshot: DatasetSnapshot, *, on_clip: Callable[[int, int], None]) -> Gathered:
    """Bring the features of every clip of a snapshot onto this disk; each is fetched once.

    Raises
    ------
    TrainingError
        ``run_bad_clip``: the features of a clip are gone, damaged, or not those of the snapshot.
    OSError
        There is no room, or the storage is away.
    """
    folder = _features_root() / snapshot.digest
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
                store, row = found
                summary = store.summary[row]
                writer.add(
                    entry.features_sha256,
                    store.levels(row),
                    float(store.floor_db[row]),
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
    """Find the features that earlier runs left on this disk, by their hash."""
    found: dict[str, tuple[FeatureStore, int]] = {}
    for folder in _subfolders(_features_root()):
        try:
            store = FeatureStore.open(folder)
        except FeatureStoreError:
            continue
        found |= {key: (store, row) for row, key in enumerate(store.keys)}
    return found


def _entries(snapshot: DatasetSnapshot) -> Iterator[SnapshotClip]:
    entries = snapshot.entries.select_related("clip").order_by("clip_key")
    return entries.defer("clip__comment").iterator(chunk_size=_BATCH)


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


def write_job(run_id: UUID, description: JobDescription, clips: RunClips) -> JobFolder:
    """Write the inputs of a run's training process; the state of an interrupted fit beside them stays."""
    folder = JobFolder(run_folder(run_id))
    shutil.rmtree(folder.result, ignore_errors=True)
    folder.write(description, clips)
    return folder


def forget(run_id: UUID) -> None:
    """Remove the state of a run that is over."""
    shutil.rmtree(run_folder(run_id), ignore_errors=True)


def tidy(*, keep: str = "") -> None:
    """Remove what finished runs left, and feature stores with a clip that was withdrawn since.

    Parameters
    ----------
    keep
        The digest of a snapshot; with one, the feature stores of all others are removed too.
    """
    active = {
        pk.hex
        for pk in TrainingRun.objects.filter(status__in=TrainingRun.ACTIVE).values_list("pk", flat=True)
    }
    for folder in _subfolders(root() / "runs"):
        if folder.name not in active:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in _subfolders(_features_root()):
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
