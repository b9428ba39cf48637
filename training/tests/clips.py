"""Clips as a worker leaves them, made at once."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.sounds import chords, wav
from training.models import Clip, Dataset
from training.services.features import pack, unpack


def embedding_at(angle: float, size: int = 8) -> list[float]:
    """Give a unit vector whose first two parts point `angle` degrees from the first axis."""
    vector = np.zeros(size, np.float32)
    vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return [float(value) for value in vector]


def make_clip(
    contributor: User | None,
    genre: Genre,
    *,
    version: ModelVersion | None = None,
    opinion: dict[str, float] | None = None,
    angle: float | None = None,
    sound: bool = True,
    seconds: float = 3.0,
    seed: int = 0,
    **fields: Any,
) -> Clip:
    """Make a checked clip that waits for review, unless `fields` say otherwise."""
    shares = opinion or {}
    made: dict[str, Any] = {
        "title": "Clip",
        "status": Clip.Status.PENDING,
        "contributed_genre": genre,
        "sha256": uuid.uuid4().hex * 2,
        "duration": seconds,
        "rights_confirmed_at": timezone.now(),
        "opinion_version": version,
        "opinion": shares,
        "disputed": 1 - shares.get(genre.slug, 0.0) if shares else None,
        "embedding": None if angle is None else embedding_at(angle),
        "feature_version": "1",
        **fields,
    }
    if contributor is None and "dataset" not in made:
        made["dataset"] = Dataset.objects.get_or_create(name="Set")[0]
        made["dataset_key"] = uuid.uuid4().hex
    clip = Clip(contributor=contributor, genre=genre, **made)
    db = np.random.default_rng(seed).uniform(-60, 0, (128, 40)).astype(np.float32)
    features = pack(db)
    if clip.status != Clip.Status.CHECKING:
        clip.features.save("features.npz", ContentFile(features), save=False)
        clip.features_sha256 = unpack(features).sha256
    if sound:
        clip.sound.save("clip.wav", ContentFile(wav(chords(seconds, seed=seed))), save=False)
    clip.save(force_insert=True)
    return clip
