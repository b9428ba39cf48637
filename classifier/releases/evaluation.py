"""The table of an evaluation as a release folder holds it; `manage.py evaluate` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
JSON_FILE = "evaluation.json"
MARKDOWN_FILE = "EVALUATION.md"


def read(folder: Path) -> dict[str, Any] | None:
    """Read the table of a release folder; None where it has none that this program reads."""
    try:
        content = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(content, dict) and content.get("format_version") == FORMAT_VERSION
    return content if known else None
