"""What the tests of training share: people, programs and storage as in the library's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from library.tests.conftest import (
    _surroundings,
    anonymous,
    api,
    classifier_in_service,
    curator,
    done_track,
    finished_track,
    genres,
    matrix,
    other,
    owner,
    owner_api,
    queued_track,
    staff,
    stored,
    version,
)

__all__ = [
    "_surroundings",
    "anonymous",
    "api",
    "classifier_in_service",
    "curator",
    "done_track",
    "finished_track",
    "genres",
    "matrix",
    "other",
    "owner",
    "owner_api",
    "queued_track",
    "staff",
    "stored",
    "version",
]


@pytest.fixture
def training_dir(settings: Settings, tmp_path: Path) -> Path:
    """Give the training worker a disk of its own."""
    settings.TRAINING_DIR = tmp_path / "training"
    return tmp_path / "training"
