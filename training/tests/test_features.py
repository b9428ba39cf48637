"""The features of a clip come back as they went, or not at all."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile

from classifier.models import Genre
from genreweb.accounts.models import User
from training.models import Clip
from training.services.features import (
    ClipFeatures,
    FeaturesError,
    pack,
    pack_features,
    quantise,
    read_features,
    unpack,
)


@pytest.fixture
def db_columns() -> np.ndarray:
    return np.random.default_rng(1).uniform(-70, 12, (128, 40)).astype(np.float32)


def test_decibels_come_back_within_half_a_level(db_columns: np.ndarray) -> None:
    summary = np.arange(57, dtype=np.float32)
    back = unpack(pack(db_columns, summary))
    step = np.ptp(db_columns) / 256
    assert np.abs(back.db - (db_columns - db_columns.max())).max() <= step / 2 + 1e-4
    assert back.summary is not None
    assert back.summary.tolist() == summary.tolist()


def test_levels_of_a_data_set_are_kept_as_they_are() -> None:
    levels = np.random.default_rng(2).integers(0, 256, (128, 387), dtype=np.uint8)
    back = unpack(pack_features(ClipFeatures(levels, -63.25)))
    assert np.array_equal(back.levels, levels)
    assert (back.floor_db, back.summary) == (-63.25, None)


def test_the_hash_is_of_what_a_network_is_shown(db_columns: np.ndarray) -> None:
    features = quantise(db_columns)
    assert unpack(pack(db_columns, np.zeros(57, np.float32))).sha256 == features.sha256
    assert quantise(db_columns + 20).sha256 == features.sha256
    changed = features.levels.copy()
    changed[5, 5] ^= 1
    assert ClipFeatures(changed, features.floor_db).sha256 != features.sha256
    assert ClipFeatures(features.levels, features.floor_db - 1).sha256 != features.sha256


def test_a_sound_that_never_changes_has_features() -> None:
    back = unpack(pack(np.full((128, 10), -20, np.float32)))
    assert np.isfinite(back.db).all()
    assert (back.levels == 255).all()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((127, 10), np.float32),
        np.zeros((128, 0), np.float32),
        np.zeros(128, np.float32),
        np.full((128, 10), np.nan, np.float32),
        np.full((128, 10), -np.inf, np.float32),
        np.zeros((128, 5000), np.float32),
    ],
)
def test_what_is_no_clip_is_not_packed(bad: np.ndarray) -> None:
    with pytest.raises(FeaturesError):
        pack(bad)


def _npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 not really",
        _npz(levels=np.zeros((128, 4), np.uint8)),
        _npz(levels=np.zeros((128, 4), np.float32), floor_db=np.float32(-80)),
        _npz(levels=np.zeros((128, 4), np.uint8), floor_db=np.float32(np.nan)),
        _npz(levels=np.zeros((128, 4), np.uint8), floor_db=np.float32(3)),
        _npz(levels=np.zeros((128, 4), np.uint8), floor_db=np.zeros(3)),
        _npz(levels=np.zeros((128, 4), np.uint8), floor_db=np.float32(-80), summary=np.zeros(3)),
        _npz(levels=np.array([{"a": 1}], dtype=object), floor_db=np.float32(-80)),
        pack(np.arange(1280, dtype=np.float32).reshape(128, 10))[:-30],
    ],
)
def test_damaged_features_are_refused(data: bytes) -> None:
    with pytest.raises(FeaturesError):
        unpack(data)


def test_features_of_a_clip_are_read_from_the_storage(
    owner: User, genres: dict[str, Genre], db_columns: np.ndarray
) -> None:
    clip = Clip(contributor=owner, genre=genres["blues"], contributed_genre=genres["blues"], sha256="0" * 64)
    with pytest.raises(FeaturesError, match="no features"):
        read_features(clip)
    clip.features.save("features.npz", ContentFile(pack(db_columns)), save=False)
    clip.save(force_insert=True)
    clip.refresh_from_db()
    assert read_features(clip).sha256 == quantise(db_columns).sha256
    clip.features.storage.delete(str(clip.features.name))
    with pytest.raises(FeaturesError, match="gone"):
        read_features(clip)
