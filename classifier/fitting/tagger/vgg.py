"""The networks ``vgg`` that come beside ``musicnn`` (Pons and Serra, 2019), trained on the same tags.

Five convolutions of 3 by 3, each rectified, normalised and pooled. A filter whose kernel has decayed to zero
gives a constant; together they are one more channel of the next layer, zero beyond the edges as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.core.tagger_input import N_MELS, PATCH_FRAMES
from classifier.fitting.tagger.checkpoints import Arrays, Pools, normalisation


def build(arrays: Arrays, *, constant: float, pools: Pools) -> Any:
    """The network as a Keras model: (n, PATCH_FRAMES, N_MELS, 1) -> dict of logits and embedding.

    Parameters
    ----------
    arrays
        Of a checkpoint.
    constant
        Filters with a smaller norm are taken to give a constant; see `Checkpoint`.
    pools
        As in `Checkpoint`.
    """
    import keras

    inputs = keras.Input((PATCH_FRAMES, N_MELS, 1), name="log_mel")
    scale, shift = normalisation(arrays, 0)
    x = inputs * float(scale[0]) + float(shift[0])
    alive, fixed = np.ones(1, bool), np.zeros(1, np.float32)
    for number, (size, strides) in enumerate(pools, start=1):
        kernel, bias = arrays[f"{number}CNN/kernel"], arrays[f"{number}CNN/bias"]
        scale, shift = normalisation(arrays, number)
        kept = np.sqrt(np.square(kernel).sum(axis=(0, 1, 2))) * np.abs(scale) > constant
        if not alive.all():
            constants = np.einsum("hwio,i->hwo", kernel[:, :, ~alive], fixed[~alive])
            kernel = np.concatenate([kernel[:, :, alive], constants[:, :, np.newaxis]], axis=2)
            x = keras.ops.concatenate([x, x[..., :1] * 0.0 + 1.0], axis=-1)
        layer = keras.layers.Conv2D(int(kept.sum()), kernel.shape[:2], padding="same", activation="relu")
        x = layer(x)
        layer.set_weights([kernel[..., kept], bias[kept]])
        x = keras.layers.MaxPooling2D(size, strides)(x * scale[kept] + shift[kept])
        alive, fixed = kept, scale * np.maximum(bias, 0.0) + shift
    # Put the living channels back in their places among the constants.
    places = np.zeros((int(alive.sum()), len(alive)), np.float32)
    places[np.arange(len(places)), np.flatnonzero(alive)] = 1.0
    x = keras.ops.matmul(x, places) + np.where(alive, 0.0, fixed).astype(np.float32)
    embedding = keras.layers.Flatten()(x)
    logits = keras.ops.matmul(embedding, arrays["dense/kernel"]) + arrays["dense/bias"]
    return keras.Model(inputs, {"logits": logits, "embedding": embedding})
