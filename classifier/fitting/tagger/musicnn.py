"""The networks ``musicnn``, with filters as tall as many mel bands and as long as many frames.

They are of Pons and Serra (musicnn: pre-trained convolutional neural networks for music audio tagging, 2019),
trained on the last.fm tags of the Million Song Dataset and on MagnaTagATune. Their weight decay has brought
most filters to zero; such a filter gives a constant, which is added where it is used, so that what is left
gives the same answers for a tenth of the work.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.tagger_input import N_MELS, PATCH_FRAMES
from classifier.fitting.tagger.checkpoints import Arrays, FloatArray, normalisation

_TIMBRAL: Final = (("conv2d", 1), ("conv2d_1", 2))
_TEMPORAL: Final = (("conv2d_2", 3), ("conv2d_3", 4), ("conv2d_4", 5))
_HEIGHTS_TOGETHER: Final = 8
_FRAMES_TOGETHER: Final = 16


def build(arrays: Arrays, *, constant: float) -> Any:
    """The network as a Keras model: (n, PATCH_FRAMES, N_MELS, 1) -> dict of logits, embedding and pooled.

    Parameters
    ----------
    arrays
        Of a checkpoint.
    constant
        Filters with a smaller norm are taken to give a constant; see `Checkpoint`.
    """
    import keras

    inputs = keras.Input((PATCH_FRAMES, N_MELS, 1), name="log_mel")
    scale, shift = normalisation(arrays, 0)
    x = keras.layers.Reshape((PATCH_FRAMES, N_MELS))(inputs) * float(scale[0]) + float(shift[0])
    blocks = [_timbral(x, arrays, name, bn, constant) for name, bn in _TIMBRAL]
    blocks += [_temporal(x, arrays, name, bn, constant) for name, bn in _TEMPORAL]
    front, alive, fixed = _joined(blocks)
    layers = [front, *_middle(front, arrays, alive, fixed, constant)]
    logits, embedding, pooled = _back(layers, arrays, alive, fixed, constant)
    return keras.Model(inputs, {"logits": logits, "embedding": embedding, "pooled": pooled})


def _alive(arrays: Arrays, name: str, number: int, constant: float) -> NDArray[np.bool_]:
    kernel = arrays[f"{name}/kernel"]
    norms = np.sqrt(np.square(kernel).sum(axis=(0, 1, 2)))
    return np.asarray(norms * np.abs(normalisation(arrays, number)[0]) > constant)


def _fixed(arrays: Arrays, name: str, number: int) -> FloatArray:
    """What each filter of a layer gives where its kernel is zero."""
    scale, shift = normalisation(arrays, number)
    return np.asarray(scale * np.maximum(arrays[f"{name}/bias"], 0.0) + shift, np.float32)


def _timbral(x: Any, arrays: Arrays, name: str, bn: int, constant: float) -> tuple[Any, Any, Any]:
    """Filters that span much of the mel axis, at every height; the largest answer over the heights counts.

    A convolution over one channel leaves a processor's lanes empty. Here the mel bands are the channels of a
    convolution over frames, whose kernel holds each filter at several neighbouring heights; what little it
    multiplies with zero costs less than the lanes.
    """
    import keras

    alive = _alive(arrays, name, bn, constant)
    kernel, bias = arrays[f"{name}/kernel"][:, :, 0, alive], arrays[f"{name}/bias"][alive]
    frames, span, filters = kernel.shape
    heights = N_MELS - span + 1
    together = _HEIGHTS_TOGETHER
    wide = np.zeros((frames, span + together - 1, together, filters), np.float32)
    for height in range(together):
        wide[:, height : height + span, height] = kernel
    wide = wide.reshape(frames, span + together - 1, together * filters)
    # The last group overlaps the one before, which a maximum does not mind.
    lowest = [*range(0, heights - together, together), heights - together]
    groups = [_conv_1d(x[:, :, i : i + wide.shape[1]], wide, np.tile(bias, together)) for i in lowest]
    # A negative scale makes the largest the smallest.
    scale, shift = normalisation(arrays, bn)
    sign = np.tile(np.sign(scale[alive]), together)
    if (sign < 0).any():
        groups = [group * sign for group in groups]
    y = groups[0]
    for group in groups[1:]:
        y = keras.ops.maximum(y, group)
    y = keras.layers.Reshape((PATCH_FRAMES, together, filters))(y)
    y = keras.layers.MaxPooling2D((1, together))(y)[:, :, 0]
    return y * np.abs(scale[alive]) + shift[alive], alive, _fixed(arrays, name, bn)


def _temporal(x: Any, arrays: Arrays, name: str, bn: int, constant: float) -> tuple[Any, Any, Any]:
    """Filters along time in each mel band; the largest answer over the bands counts.

    For the same reason as above `_FRAMES_TOGETHER` neighbouring frames are the channels.
    """
    import keras

    alive = _alive(arrays, name, bn, constant)
    kernel, bias = arrays[f"{name}/kernel"][:, 0, 0, alive], arrays[f"{name}/bias"][alive]
    length, filters = kernel.shape
    together = _FRAMES_TOGETHER
    blocks_in = -(-(length + together - 1) // together)
    blocks_out = -(-PATCH_FRAMES // together)
    wide = np.zeros((blocks_in * together, together, filters), np.float32)
    for frame in range(together):
        wide[frame : frame + length, frame] = kernel
    before = (length - 1) // 2
    after = (blocks_out + blocks_in - 1) * together - PATCH_FRAMES - before
    x = keras.layers.ZeroPadding1D((before, after))(x)
    x = keras.layers.Reshape((N_MELS, -1, together))(keras.ops.transpose(x, (0, 2, 1)))
    layer = keras.layers.Conv2D(together * filters, (1, blocks_in), activation="relu")
    y = layer(x)
    layer.set_weights([wide.reshape(1, blocks_in, together, -1), np.tile(bias, together)])
    scale, shift = normalisation(arrays, bn)
    sign = np.tile(np.sign(scale[alive]), together)
    if (sign < 0).any():
        y = y * sign
    y = keras.layers.MaxPooling2D((N_MELS, 1))(y)
    y = keras.layers.Reshape((-1, filters))(y)[:, :PATCH_FRAMES]
    return y * np.abs(scale[alive]) + shift[alive], alive, _fixed(arrays, name, bn)


def _joined(blocks: list[tuple[Any, Any, Any]]) -> tuple[Any, NDArray[np.bool_], FloatArray]:
    import keras

    outputs = keras.ops.concatenate([block[0] for block in blocks], axis=-1)
    alive = np.concatenate([block[1] for block in blocks])
    return outputs, alive, np.concatenate([block[2] for block in blocks])


def _conv_1d(x: Any, kernel: FloatArray, bias: FloatArray) -> Any:
    """Over frames, zeros beyond the ends, rectified: (n, frames, channels) by (lags, channels, filters)."""
    import keras

    layer = keras.layers.Conv1D(kernel.shape[-1], len(kernel), padding="same", activation="relu")
    y = layer(x)
    layer.set_weights([kernel, bias])
    return y


def _middle(
    front: Any, arrays: Arrays, alive: NDArray[np.bool_], fixed: FloatArray, constant: float
) -> list[Any]:
    """Three layers over all front-end channels, the second and third with a residual connection."""
    import keras

    kernel = arrays["conv2d_5/kernel"][:, :, 0]
    # Beyond the ends of the patch a constant is zero too, so that constants cannot go into the bias.
    constants = (kernel[:, ~alive] * fixed[~alive, np.newaxis]).sum(axis=1, keepdims=True)
    kernel = np.concatenate([kernel[:, alive], constants], axis=1)
    kept = _alive(arrays, "conv2d_5", 6, constant)
    scale, shift = normalisation(arrays, 6)
    x = keras.ops.concatenate([front, front[:, :, :1] * 0.0 + 1.0], axis=-1)
    y = _conv_1d(x, kernel[..., kept], arrays["conv2d_5/bias"][kept])
    # Put the living filters back in their places among the constants.
    places = np.zeros((int(kept.sum()), len(kept)), np.float32)
    places[np.arange(len(places)), np.flatnonzero(kept)] = scale[kept]
    first = keras.ops.matmul(y, places) + np.where(kept, shift, _fixed(arrays, "conv2d_5", 6))
    outputs = [first]
    for name, bn in (("conv2d_6", 7), ("conv2d_7", 8)):
        y = _conv_1d(outputs[-1], arrays[f"{name}/kernel"][:, :, 0], arrays[f"{name}/bias"])
        scale, shift = normalisation(arrays, bn)
        outputs.append(y * scale + shift + outputs[-1])
    return outputs


def _back(
    layers: list[Any], arrays: Arrays, alive: NDArray[np.bool_], fixed: FloatArray, constant: float
) -> tuple[Any, Any, Any]:
    """Maximum and mean over the frames, the penultimate layer and the tags."""
    import keras

    features = keras.ops.concatenate(layers, axis=-1)
    largest, mean = keras.ops.max(features, axis=1), keras.ops.mean(features, axis=1)
    scale, shift = (part.reshape(-1, 2) for part in normalisation(arrays, 9))
    kernel = arrays["dense/kernel"].reshape(len(scale), 2, -1)
    weights = scale[..., np.newaxis] * kernel
    bias = arrays["dense/bias"] + (shift[..., np.newaxis] * kernel).sum(axis=(0, 1))
    dead = np.flatnonzero(~alive)
    bias = bias + np.einsum("d,dpu->u", fixed[dead], weights[dead])
    kept = np.concatenate([np.flatnonzero(alive), np.arange(len(alive), len(scale))])
    weights = np.concatenate([weights[kept, 0], weights[kept, 1]])
    scale, shift = normalisation(arrays, 10)
    pooled = keras.ops.concatenate([largest, mean], axis=-1)
    embedding = keras.ops.relu(keras.ops.matmul(pooled, weights) + bias) * scale + shift
    logits = keras.ops.matmul(embedding, arrays["dense_1/kernel"]) + arrays["dense_1/bias"]
    return logits, embedding, pooled
