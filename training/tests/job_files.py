"""Synthetic training clips: each genre has its own bands, which a small network can distinguish."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from django.core.files.base import ContentFile

from classifier.core.summary import COLUMNS
from classifier.models import Genre
from genreweb.accounts.models import User
from training.models import Clip, TrainingRun
from training.services import worker
from training.services.features import pack, unpack

COLUMNS_PER_CLIP = 80


def columns(genre: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Give (128, n) decibels whose loud bands follow from the genre and whose rest follows from the seed."""
    rng = np.random.default_rng([genre, seed])
    db = rng.uniform(-70, -40, (128, COLUMNS_PER_CLIP))
    low = 10 + 25 * (genre % 4)
    db[low : low + 15] += 35 + 5 * np.sin(np.arange(COLUMNS_PER_CLIP) / (2 + genre))
    return np.asarray(np.minimum(db, 0.0), dtype=np.float32)


def make_run(**fields: Any) -> TrainingRun:
    """Make a queued run, of the method that is ready at once unless `fields` say otherwise."""
    made = {"kind": "full", "architecture": "mfcc-knn", "epochs": 0, **fields}
    return TrainingRun.objects.create(**made)


def finish(run: TrainingRun) -> TrainingRun:
    """Do a run as a training worker does."""
    assert worker.train(run_id=run.pk)
    run.refresh_from_db()
    return run


def teach(
    genres: dict[str, Genre],
    *,
    names: tuple[str, ...] = ("blues", "rock"),
    first: int = 0,
    each: int = 24,
    contributor: User,
    part: str = "",
) -> list[Clip]:
    """Make approved clips by as many artists as clips; `first` names the bands of the first genre."""
    clips = []
    for number, name in enumerate(names, first):
        for seed in range(each):
            summary = np.random.default_rng([7, number, seed]).normal(number, 1, len(COLUMNS))
            data = pack(columns(number, seed), summary.astype(np.float32))
            clips.append(clip_of(data, genres[name], seed=seed, contributor=contributor, part=part))
    return Clip.objects.bulk_create(clips)


def clip_of(data: bytes, genre: Genre, *, seed: int, contributor: User, part: str = "") -> Clip:
    """Make an approved clip of packed features by an artist of its own, without its row."""
    clip = Clip(
        contributor=contributor,
        genre=genre,
        contributed_genre=genre,
        title=f"{genre.slug} {seed}",
        artist=f"{genre.slug} artist {seed}",
        part=part,
        sha256=uuid.uuid4().hex * 2,
        status=Clip.Status.APPROVED,
        features_sha256=unpack(data).sha256,
        feature_version="1",
    )
    clip.features.save("features.npz", ContentFile(data), save=False)
    return clip
