"""Figures of the lenses by which similar tracks are found; `manage.py evaluate_similarity` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from classifier.core.lenses import VERSION

FORMAT_VERSION: Final = 1
JSON_FILE: Final = Path(__file__).parent / "similarity.json"
"""They are the same for every version of the classifier, so they lie beside the releases, not in one."""


def read(path: Path = JSON_FILE) -> dict[str, Any] | None:
    """Read the figures; None where there are none of these lenses."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        return None
    return content if content.get("lens_version") == VERSION else None
