"""The shipped release in another form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from classifier.core.artifact import METADATA_FILE, MODEL_FILE, read_metadata
from classifier.core.ensemble import METADATA_KEY
from classifier.releases import current_release


def network_alone(folder: Path) -> Path:
    """Make a release folder of the shipped network, without tables and without the tagger's part."""
    folder.mkdir()
    shutil.copy(current_release() / MODEL_FILE, folder)
    metadata = read_metadata(current_release())
    metadata.pop(METADATA_KEY, None)
    (folder / METADATA_FILE).write_text(json.dumps(metadata), encoding="utf-8")
    return folder
