"""Arrays with metadata beside a release: written whole, and known by their hash."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def write_arrays(path: Path, metadata: Mapping[str, Any], **arrays: ArrayLike) -> dict[str, Any]:
    """Write arrays and their metadata into one NPZ file, which is whole or not there.

    Returns
    -------
    The metadata with the file's ``sha256``.
    """
    content = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(content, **named, metadata=np.array(json.dumps(metadata)))
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.getvalue())
    partial.replace(path)
    return {**metadata, "sha256": hashlib.sha256(content.getvalue()).hexdigest()}
