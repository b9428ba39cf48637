"""Figures of a release outside the set that it was fitted on; `manage.py evaluate` writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FORMAT_VERSION: Final = 1
JSON_FILE: Final = "outside.json"

_DECISIVE: Final = ("sha256", "labels", "patches", "calibration", "ensemble")


def identity_of(metadata: Mapping[str, Any]) -> str:
    """Name all of a version that decides its answers, as SHA-256."""
    entries = {key: metadata.get(key) for key in _DECISIVE}
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def read(folder: Path) -> dict[str, Any] | None:
    """Read the figures of a release folder; None where it has none that this program reads."""
    try:
        content = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(content, dict) and content.get("format_version") == FORMAT_VERSION
    return content if known and isinstance(content.get("parts"), dict) else None


def read_valid(folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the figures of a release folder; None where `metadata` describe something else."""
    content = read(folder)
    return content if content and content.get("identity") == identity_of(metadata) else None
