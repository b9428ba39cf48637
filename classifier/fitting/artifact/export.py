"""Exporting a Keras network to LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from classifier.core.litert import Network
from classifier.core.patches import PatchParams

EXPORT_TOLERANCE = 1e-4


class ExportError(Exception):
    """The exported network does not give what the trained one gives."""


def export(model: Any, path: Path, params: PatchParams) -> None:
    """Write a network as a LiteRT file that takes one patch at a time.

    Raises
    ------
    ExportError
        The file's outputs differ from the network's by more than `EXPORT_TOLERANCE`.
    """
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    outputs = {name: model.output[name] for name in ("logits", "music", "embedding")}
    served = keras.Model(model.input, outputs, name=model.name)
    signature = keras.InputSpec(
        shape=(1, params.n_mels, params.n_columns, 1), dtype="float32", name="patches"
    )
    served.export(path, format="litert", input_signature=[signature], verbose=False)
    inputs = np.random.default_rng(0).uniform(-2, 1, (4, params.n_mels, params.n_columns)).astype(np.float32)
    got = Network(path.read_bytes()).run(inputs)
    expected = served(inputs[..., None], training=False)
    for name, value in (("logits", got.logits), ("music", got.music_logits), ("embedding", got.embeddings)):
        difference = float(np.abs(np.asarray(expected[name]).reshape(value.shape) - value).max())
        if difference > EXPORT_TOLERANCE:
            raise ExportError(f"The exported {name} differ from the network's by {difference:.1e}.")
