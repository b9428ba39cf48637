"""The classifiers that ship with the project; one folder each."""

from __future__ import annotations

from pathlib import Path

from classifier.core.inference import ReleaseError, read_metadata

__all__ = ["ReleaseError", "current_release", "read_metadata"]

CURRENT = "2026.11"


def current_release() -> Path:
    """Folder of the release that a new installation puts into service."""
    return Path(__file__).parent / CURRENT
