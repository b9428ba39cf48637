"""The table of an evaluation as a release folder holds it; `manage.py evaluate` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
JSON_FILE = "evaluation.json"
MARKDOWN_FILE = "EVALUATION.md"


def read(folder: Path) -> dict[str, Any] | None:
    """The table of a release folder; None where it has none that this program reads."""
    return read_json(folder / JSON_FILE, FORMAT_VERSION)


def read_json(path: Path, format_version: int) -> dict[str, Any] | None:
    """A JSON object that names its format; None where it cannot be read or is of another one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(content, dict) and content.get("format_version") == format_version
    return content if known else None
