"""Writing the metadata of a version, and the model card that is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from classifier.core.artifact import METADATA_FILE
from classifier.fitting.artifact.version_card import version_card

CARD_FILE = "MODEL_CARD.md"


def write_metadata(
    folder: Path,
    metadata: Mapping[str, Any],
    *,
    card: Callable[[Mapping[str, Any]], str] = version_card,
) -> None:
    """Write metadata and card into the folder of a version.

    Raises
    ------
    ValueError
        A figure is not finite.
    """
    text = json.dumps(metadata, indent=1, allow_nan=False) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")
    (folder / CARD_FILE).write_text(card(metadata), encoding="utf-8")


def amend_metadata(folder: Path, **entries: Any) -> None:
    """Change entries of the metadata of a version, and its card with them."""
    metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    write_metadata(folder, metadata | entries)
