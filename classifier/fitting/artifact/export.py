"""Exporting a Keras network to LiteRT."""

from __future__ import annotations

import tempfile
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
    file = convert(served, shape=(1, params.n_mels, params.n_columns, 1), name="patches")
    inputs = np.random.default_rng(0).uniform(-2, 1, (4, params.n_mels, params.n_columns)).astype(np.float32)
    got = Network(file).run(inputs)
    expected = served(inputs[..., None], training=False)
    for key, value in (("logits", got.logits), ("music", got.music_logits), ("embedding", got.embeddings)):
        difference = float(np.abs(np.asarray(expected[key]).reshape(value.shape) - value).max())
        if difference > EXPORT_TOLERANCE:
            raise ExportError(f"The exported {key} differ from the network's by {difference:.1e}.")
    path.write_bytes(file)


def convert(network: Any, *, shape: tuple[int, ...], name: str) -> bytes:
    """Give a Keras network as the content of a LiteRT file with one signature.

    Keras' own export also saves what a further training would need, the gradient of every activation: that
    takes as long as all the rest, and the converter drops it.

    Parameters
    ----------
    shape
        Of the one input, whose name in the signature is `name`.
    """
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=name)], autograph=False)  # type: ignore[untyped-decorator]
    def serve(inputs: Any) -> Any:
        return network(inputs, training=False)

    saved = tf.Module()
    saved.weights, saved.serve = [variable.value for variable in network.variables], serve
    with tempfile.TemporaryDirectory() as folder:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(saved, folder, signatures=serve, options=options)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        return bytes(converter.convert())
