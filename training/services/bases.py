"""What a quick run starts from: the version in service, and the clips it remembers."""

from __future__ import annotations

import functools
import io
import zipfile
from typing import Any

import numpy as np

from classifier import version_files
from classifier.core.artifact import architecture_of, backbone_of
from classifier.models import ModelVersion
from classifier.releases import REPLAY_FILE
from classifier.version_files import StoredFile

__all__ = ["architecture_of", "backbone_of", "in_service", "remembered"]


def in_service() -> ModelVersion | None:
    return ModelVersion.objects.in_service()


def remembered(version: ModelVersion) -> frozenset[str] | None:
    """Name the clips that a version can replay; None where no quick run can start from it."""
    try:
        return _remembered(version_files.file_of(version, REPLAY_FILE))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


@functools.lru_cache(maxsize=4)
def _remembered(file: StoredFile) -> frozenset[str]:
    with np.load(io.BytesIO(version_files.read(file)), allow_pickle=False) as archive:
        names: list[Any] = archive["names"].tolist()
    return frozenset(map(str, names))
