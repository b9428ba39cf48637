"""The file that a version answers from, made by TensorFlow on one CPU whatever the network was fitted with.

Only TensorFlow's Keras writes LiteRT files of networks, and weights mean the same to every backend:
``python -m classifier.fitting.artifact.conversion FOLDER`` makes the one from the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SHAPE_FILE = "shape.json"
_KEYS = ("architecture", "labels", "patches", "network")


def apart(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write the file for the weights in `folder`, in a process with a backend of its own.

    Raises
    ------
    ExportError
        It could not be made, or answers otherwise than the network.
    """
    from classifier.fitting.release.train import ExportError

    shape = folder / _SHAPE_FILE
    shape.write_text(json.dumps({key: metadata[key] for key in _KEYS if key in metadata}), encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603  # our own module, no shell
            [sys.executable, "-m", "classifier.fitting.artifact.conversion", str(folder)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""},
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        shape.unlink()
    if done.returncode:
        raise ExportError((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])


def _convert(folder: Path) -> None:
    from classifier.core.artifact import MODEL_FILE
    from classifier.core.networks import WEIGHTS_FILE
    from classifier.core.patches import PatchParams
    from classifier.fitting.artifact.keras_files import build
    from classifier.fitting.release.train import export

    shape = json.loads((folder / _SHAPE_FILE).read_text(encoding="utf-8"))
    network = build(shape)
    network.load_weights(folder / WEIGHTS_FILE)
    export(network, folder / MODEL_FILE, PatchParams(**shape["patches"]))


if __name__ == "__main__":
    _convert(Path(sys.argv[1]))
