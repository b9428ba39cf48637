"""The clips whose embeddings a version stores, so that a quick run can start from it."""

from __future__ import annotations

import functools
import zipfile
from typing import Any

import numpy as np

from classifier import version_files
from classifier.models import ModelVersion
from classifier.releases import REPLAY_FILE


def remembered(version: ModelVersion) -> frozenset[str] | None:
    """Give the names of the clips that a version can replay; None where no quick run can start from it."""
    try:
        return _remembered(version.pk, version.sha256)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


@functools.lru_cache(maxsize=4)
def _remembered(pk: int, sha256: str) -> frozenset[str]:
    # The files of a version never change, so its number and hash name the answer.
    version = ModelVersion.objects.get(pk=pk)
    with (
        version_files.open_file(version, REPLAY_FILE) as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        names: list[Any] = archive["names"].tolist()
    return frozenset(map(str, names))
