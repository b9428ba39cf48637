"""Making the LiteRT model of weights that were fitted with any backend, in a process with TensorFlow.

Only Keras on TensorFlow exports LiteRT files, and weights are the same for every backend:
``python -m classifier.fitting.artifact.conversion FOLDER`` makes the model of the weights.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classifier.core.artifact import MODEL_FILE
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import PatchParams
from classifier.fitting.artifact.export import ExportError, export
from classifier.fitting.networks.builders import build

_SHAPE_FILE = "shape.json"
_KEYS = ("architecture", "labels", "patches", "network", "descriptor_mlp")


def convert_in_process(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write the LiteRT model of the weights in `folder`, in a process with TensorFlow on one CPU.

    Raises
    ------
    ExportError
        It could not be made, or its outputs differ from those of the network.
    """
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
    shape = json.loads((folder / _SHAPE_FILE).read_text(encoding="utf-8"))
    network = build(shape)
    network.load_weights(folder / WEIGHTS_FILE)
    export(network, folder / MODEL_FILE, PatchParams(**shape["patches"]))


if __name__ == "__main__":
    _convert(Path(sys.argv[1]))
    # What is there ends with the process: a last search for garbage in it takes a second.
    gc.freeze()
