"""Versions for tests: the shipped network under other names, with verdicts that are known."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier import registry
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release
from genreweb.accounts.models import User
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingEpoch, TrainingRun

LABELS = [genre.slug for genre in SHIPPED_GENRES]
PER_GENRE = 29


def clips_of_test_set(label: str, n: int = PER_GENRE) -> list[str]:
    """Names of clips of the test set."""
    return [f"{label}.{number:05}" for number in range(n)]


def predictions(wrong: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Predictions for the test set that are all correct except those named."""
    said = {}
    for place, label in enumerate(LABELS):
        for name in clips_of_test_set(label):
            other = LABELS[(place + 1) % len(LABELS)]
            said[name] = [other if name in wrong else label, 0.8]
    return said


def release_folder(target: Path, **metadata: Any) -> Path:
    """Copy the shipped release, with some of its metadata replaced; None takes an entry away."""
    shutil.copytree(current_release(), target)
    path = target / "metadata.json"
    merged = {**json.loads(path.read_text()), **metadata}
    path.write_text(json.dumps({key: value for key, value in merged.items() if value is not None}))
    return target


def make_version(
    name: str, *, wrong: Sequence[str] = (), source: str = ModelVersion.Source.TRAINED, **metadata: Any
) -> ModelVersion:
    """Store a version that predicts the clips of the test set correctly except for some."""
    with tempfile.TemporaryDirectory() as scratch:
        truths = {name: label for label in LABELS for name in clips_of_test_set(label)}
        said = {"test_predictions": predictions(wrong), "test_truths": truths, "name": name, **metadata}
        return registry.add_version(
            release_folder(Path(scratch) / "version", **said), name=name, source=source
        )


def put_into_service(version: ModelVersion) -> ModelVersion:
    """Let a version answer, as at the first start of a site: without a promotion."""
    ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=True, served_at=timezone.now())
    version.refresh_from_db()
    return version


def damage(version: ModelVersion, name: str = "model.tflite") -> None:
    """Change the last byte of a stored file."""
    stored = f"{version.location}/{name}"
    with default_storage.open(stored) as file:
        content = file.read()
    default_storage.delete(stored)
    default_storage.save(stored, ContentFile(content[:-1] + bytes([content[-1] ^ 1])))


def make_clip(person: User | None, genre: str, **fields: Any) -> Clip:
    """Make an approved clip."""
    registry.sync_genres()
    label, _made = Genre.objects.get_or_create(
        slug=genre, defaults={"name": genre.capitalize(), "colour": "#445566"}
    )
    clip = Clip(
        contributor=person,
        genre=label,
        contributed_genre=label,
        title=f"Clip of {genre}",
        sha256=uuid4().hex * 2,
        status=Clip.Status.APPROVED,
        duration=3.0,
        **fields,
    )
    clip.features.save("clip.npz", ContentFile(b"features"), save=False)
    clip.save(force_insert=True)
    return clip


def make_run(
    version: ModelVersion,
    entries: Sequence[tuple[Clip, str]],
    *,
    holdout: Mapping[str, Any] | None = None,
    epochs: int = 0,
) -> TrainingRun:
    """Make the finished run that a version came from, with its snapshot."""
    snapshot = DatasetSnapshot.objects.create(digest=uuid4().hex * 2)
    for clip, split in entries:
        SnapshotClip.objects.create(
            snapshot=snapshot,
            clip=clip,
            clip_key=clip.pk,
            features_sha256="0" * 64,
            genre=clip.genre.slug,
            split=split,
        )
    run = TrainingRun.objects.create(
        kind=TrainingRun.Kind.FULL if epochs else TrainingRun.Kind.QUICK,
        architecture="residual-cnn",
        epochs=epochs,
        status=TrainingRun.Status.DONE,
        snapshot=snapshot,
        candidate=version,
        judgement={"holdout": holdout} if holdout else {},
    )
    for number in range(1, epochs + 1):
        TrainingEpoch.objects.create(
            run=run,
            number=number,
            loss=2.3 / number,
            accuracy=1 - 0.9 / number,
            val_loss=2.4 / number + 0.01 * number,
            val_accuracy=1 - 0.95 / number,
            seconds=10,
        )
    return run
