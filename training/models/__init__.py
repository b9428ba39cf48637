"""Clips, label checks, snapshots, training runs, promotions and receipts."""

from training.models.clips import Clip, ClipDecision, Dataset
from training.models.health import LabelCheck
from training.models.runs import (
    DatasetSnapshot,
    RunMessage,
    SnapshotClip,
    TrainingEpoch,
    TrainingRun,
    TrainingRunQuerySet,
)
from training.models.versions import Promotion, Receipt

__all__ = [
    "Clip",
    "ClipDecision",
    "Dataset",
    "DatasetSnapshot",
    "LabelCheck",
    "Promotion",
    "Receipt",
    "RunMessage",
    "SnapshotClip",
    "TrainingEpoch",
    "TrainingRun",
    "TrainingRunQuerySet",
]
