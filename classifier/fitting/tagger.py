"""The pre-trained taggers, rebuilt in Keras from the arrays of their checkpoints, written as LiteRT files.

The networks are ``MSD_musicnn`` and ``MTT_musicnn`` (Pons and Serra, musicnn: pre-trained convolutional
neural networks for music audio tagging, 2019), trained on the last.fm tags of the Million Song Dataset and on
MagnaTagATune. Their weight decay has brought most filters to zero; such a filter gives a constant, which is
added where it is used, so that what is left gives the same answers for a tenth of the work.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.tagger import FORMAT_VERSION, METADATA_FILE, MSD_TAGS, MTT_TAGS, LiteRtTagger, model_file
from classifier.core.tagger_input import N_MELS, PATCH_FRAMES

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, FloatArray]

CHECKPOINTS: Final[Mapping[str, str]] = {
    "msd": "a435820f343a66206c37970a0547fcb66a005f2ade016b2b53f6cf51f33f8569",
    "mtt": "7e01a96749979f48bc7b25078a8e03cd8e06b4bb6f3b1de2930a92eaa7b1d114",
}
"""`digest_of` the arrays of each tagger's checkpoint."""
TAGS: Final[Mapping[str, tuple[str, ...]]] = {"msd": MSD_TAGS, "mtt": MTT_TAGS}
EXPORT_TOLERANCE: Final = 1e-4
CONSTANT: Final = {"msd": 1e-5, "mtt": 1e-4}
"""A filter whose kernel, scaled as its batch normalisation does, has a smaller norm gives a constant."""

_EPSILON = 1e-3  # of the batch normalisations, TensorFlow's default
_TIMBRAL = (("conv2d", 1), ("conv2d_1", 2))
_TEMPORAL = (("conv2d_2", 3), ("conv2d_3", 4), ("conv2d_4", 5))
_HEIGHTS_TOGETHER = 8
_FRAMES_TOGETHER = 16


class CheckpointError(ValueError):
    """The wheel does not hold the checkpoint that is expected."""


class ConversionError(Exception):
    """The converted network does not give what the rebuilt one gives."""


def read_checkpoint(wheel: Path, name: str) -> dict[str, FloatArray]:
    """Read the weights of a tagger.

    Parameters
    ----------
    wheel
        Folder of the unpacked wheel of ``musicnn``.
    name
        A key of `CHECKPOINTS`.

    Raises
    ------
    CheckpointError
        It is not there, or its arrays are not those that are known.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays = _read(copy_checkpoint(wheel, name, Path(folder)))
    if (found := digest_of(arrays)) != CHECKPOINTS[name]:
        raise CheckpointError(f"The arrays of {name} have the hash {found}, not {CHECKPOINTS[name]}.")
    return arrays


def copy_checkpoint(wheel: Path, name: str, folder: Path) -> Path:
    """Copy a checkpoint into a folder under a prefix that TensorFlow accepts, and give that prefix.

    In the wheel its files have no name before the dot, and the file beside them that names the newest
    checkpoint holds a path of the machine it was trained on.
    """
    source = wheel / "musicnn" / f"{name.upper()}_musicnn"
    prefix = folder / "model"
    try:
        for ending in ("index", "meta", "data-00000-of-00001"):
            shutil.copyfile(source / f".{ending}", f"{prefix}.{ending}")
    except OSError as error:
        raise CheckpointError(f"The checkpoint of {name} cannot be read: {error}.") from error
    return prefix


def _read(prefix: Path) -> dict[str, FloatArray]:
    import tensorflow

    reader = tensorflow.train.load_checkpoint(str(prefix))
    names = sorted(reader.get_variable_to_shape_map())
    # The rest belongs to the optimiser.
    wanted = [name for name in names if "Adam" not in name and not name.startswith("beta")]
    return {name: np.asarray(reader.get_tensor(name), np.float32) for name in wanted}


def digest_of(arrays: Arrays) -> str:
    """SHA-256 over the names, shapes and little-endian bytes of arrays, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].shape}\n".encode())
        total.update(arrays[name].astype("<f4").tobytes())
    return total.hexdigest()


def build(arrays: Arrays, *, constant: float) -> Any:
    """The network as a Keras model: (n, PATCH_FRAMES, N_MELS, 1) -> dict of logits, embedding and pooled.

    Parameters
    ----------
    arrays
        Of a checkpoint.
    constant
        Filters with a smaller norm are taken to give a constant; see `CONSTANT`.
    """
    import keras

    inputs = keras.Input((PATCH_FRAMES, N_MELS, 1), name="log_mel")
    scale, shift = _normalisation(arrays, 0)
    x = keras.layers.Reshape((PATCH_FRAMES, N_MELS))(inputs) * float(scale[0]) + float(shift[0])
    blocks = [_timbral(x, arrays, name, bn, constant) for name, bn in _TIMBRAL]
    blocks += [_temporal(x, arrays, name, bn, constant) for name, bn in _TEMPORAL]
    front, alive, fixed = _joined(blocks)
    layers = [front, *_middle(front, arrays, alive, fixed, constant)]
    logits, embedding, pooled = _back(layers, arrays, alive, fixed, constant)
    return keras.Model(inputs, {"logits": logits, "embedding": embedding, "pooled": pooled})


def _normalisation(arrays: Arrays, number: int) -> tuple[FloatArray, FloatArray]:
    """Scale and shift of a batch normalisation in inference."""
    name = f"batch_normalization_{number}" if number else "batch_normalization"
    scale = arrays[f"{name}/gamma"] / np.sqrt(arrays[f"{name}/moving_variance"] + _EPSILON)
    return scale, arrays[f"{name}/beta"] - scale * arrays[f"{name}/moving_mean"]


def _alive(arrays: Arrays, name: str, number: int, constant: float) -> NDArray[np.bool_]:
    kernel = arrays[f"{name}/kernel"]
    norms = np.sqrt(np.square(kernel).sum(axis=(0, 1, 2)))
    return np.asarray(norms * np.abs(_normalisation(arrays, number)[0]) > constant)


def _fixed(arrays: Arrays, name: str, number: int) -> FloatArray:
    """What each filter of a layer gives where its kernel is zero."""
    scale, shift = _normalisation(arrays, number)
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
    scale, shift = _normalisation(arrays, bn)
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
    scale, shift = _normalisation(arrays, bn)
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
    scale, shift = _normalisation(arrays, 6)
    x = keras.ops.concatenate([front, front[:, :, :1] * 0.0 + 1.0], axis=-1)
    y = _conv_1d(x, kernel[..., kept], arrays["conv2d_5/bias"][kept])
    # Put the living filters back in their places among the constants.
    places = np.zeros((int(kept.sum()), len(kept)), np.float32)
    places[np.arange(len(places)), np.flatnonzero(kept)] = scale[kept]
    first = keras.ops.matmul(y, places) + np.where(kept, shift, _fixed(arrays, "conv2d_5", 6))
    outputs = [first]
    for name, bn in (("conv2d_6", 7), ("conv2d_7", 8)):
        y = _conv_1d(outputs[-1], arrays[f"{name}/kernel"][:, :, 0], arrays[f"{name}/bias"])
        scale, shift = _normalisation(arrays, bn)
        outputs.append(y * scale + shift + outputs[-1])
    return outputs


def _back(
    layers: list[Any], arrays: Arrays, alive: NDArray[np.bool_], fixed: FloatArray, constant: float
) -> tuple[Any, Any, Any]:
    """Maximum and mean over the frames, the penultimate layer and the tags."""
    import keras

    features = keras.ops.concatenate(layers, axis=-1)
    largest, mean = keras.ops.max(features, axis=1), keras.ops.mean(features, axis=1)
    scale, shift = (part.reshape(-1, 2) for part in _normalisation(arrays, 9))
    kernel = arrays["dense/kernel"].reshape(len(scale), 2, -1)
    weights = scale[..., np.newaxis] * kernel
    bias = arrays["dense/bias"] + (shift[..., np.newaxis] * kernel).sum(axis=(0, 1))
    dead = np.flatnonzero(~alive)
    bias = bias + np.einsum("d,dpu->u", fixed[dead], weights[dead])
    kept = np.concatenate([np.flatnonzero(alive), np.arange(len(alive), len(scale))])
    weights = np.concatenate([weights[kept, 0], weights[kept, 1]])
    scale, shift = _normalisation(arrays, 10)
    pooled = keras.ops.concatenate([largest, mean], axis=-1)
    embedding = keras.ops.relu(keras.ops.matmul(pooled, weights) + bias) * scale + shift
    logits = keras.ops.matmul(embedding, arrays["dense_1/kernel"]) + arrays["dense_1/bias"]
    return logits, embedding, pooled


def convert(model: Any, path: Path) -> None:
    """Write a network as a LiteRT file that takes one patch at a time.

    Raises
    ------
    ConversionError
        The file's outputs differ from the network's by more than `EXPORT_TOLERANCE`, relative to the
        largest where that exceeds 1.
    """
    import keras

    signature = keras.InputSpec(shape=(1, PATCH_FRAMES, N_MELS, 1), dtype="float32", name="log_mel")
    model.export(path, format="litert", input_signature=[signature], verbose=False)
    inputs = np.random.default_rng(0).uniform(0, 4, (3, PATCH_FRAMES, N_MELS)).astype(np.float32)
    got = LiteRtTagger(path.read_bytes()).run(inputs)
    expected = model.predict(inputs[..., np.newaxis], verbose=0)
    for key in ("logits", "embedding", "pooled"):
        scale = max(1.0, float(np.abs(expected[key]).max()))
        difference = float(np.abs(expected[key] - getattr(got, key)).max()) / scale
        if not difference <= EXPORT_TOLERANCE:
            raise ConversionError(f"The exported {key} differ from the network's by {difference:.1e}.")


def write(wheel: Path, out: Path) -> Path:
    """Convert every tagger of the unpacked wheel into a folder, which is whole or not there.

    Raises
    ------
    CheckpointError
        The wheel does not hold what is expected.
    ConversionError
        LiteRT and Keras disagree.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        networks = {}
        for name, checkpoint in CHECKPOINTS.items():
            path = work / model_file(name)
            convert(build(read_checkpoint(wheel, name), constant=CONSTANT[name]), path)
            networks[name] = {
                "checkpoint_sha256": checkpoint,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "tags": list(TAGS[name]),
            }
        metadata = {"format_version": FORMAT_VERSION, "networks": networks}
        (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
        for licence in wheel.glob("musicnn-*.dist-info/LICENSE*"):
            shutil.copyfile(licence, work / licence.name)
        work.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        work.replace(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def main() -> int:
    """``python -m classifier.fitting.tagger WHEEL OUT``: the work of an installation."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        write(Path(sys.argv[1]), Path(sys.argv[2]))
    except (CheckpointError, ConversionError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
