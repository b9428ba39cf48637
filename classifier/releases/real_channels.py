"""What `manage.py evaluate_channels` wrote into a release folder: real convolution, noise and codecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from classifier.releases.evaluation import read_json

FORMAT_VERSION = 2
JSON_FILE = "real_channels.json"


def read(folder: Path) -> dict[str, Any] | None:
    """The figures of a release folder; None where it has none that this program reads."""
    return read_json(folder / JSON_FILE, FORMAT_VERSION)
