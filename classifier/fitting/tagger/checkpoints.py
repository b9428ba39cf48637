"""Which pre-trained networks there are, and their arrays in the wheel of ``musicnn``."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.tagger import MSD_TAGS, MTT_TAGS

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, FloatArray]
Pools = tuple[tuple[tuple[int, int], tuple[int, int]], ...]

_EPSILON = 1e-3  # of the batch normalisations, TensorFlow's default


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A pre-trained network.

    Attributes
    ----------
    folder
        Of its checkpoint in the wheel.
    digest
        `digest_of` its arrays.
    constant
        A filter whose kernel, scaled as its batch normalisation does, has a smaller norm gives a constant.
    tags
        Names of its outputs.
    pools
        Frames and mel bands of which the largest is taken, and steps to the next, after each convolution of a
        ``vgg``; () of a ``musicnn``.
    """

    folder: str
    digest: str
    constant: float
    tags: tuple[str, ...]
    pools: Pools = ()


CHECKPOINTS: Final[Mapping[str, Checkpoint]] = {
    "msd": Checkpoint(
        "MSD_musicnn", "a435820f343a66206c37970a0547fcb66a005f2ade016b2b53f6cf51f33f8569", 1e-5, MSD_TAGS
    ),
    "mtt": Checkpoint(
        "MTT_musicnn", "7e01a96749979f48bc7b25078a8e03cd8e06b4bb6f3b1de2930a92eaa7b1d114", 1e-4, MTT_TAGS
    ),
    "msd_vgg": Checkpoint(
        "MSD_vgg",
        "355d69aa8c2f35d34458190cab49d594ed06be2e067860c634ccb8bf6121c302",
        1e-4,
        MSD_TAGS,
        (((4, 1), (4, 1)), ((1, 4), (1, 4)), ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4))),
    ),
    "mtt_vgg": Checkpoint(
        "MTT_vgg",
        "c190ba22f2f1f9bba2268368c989cee6b4d7d99bf7ec997f0305aabad5e53459",
        1e-4,
        MTT_TAGS,
        (((4, 1), (2, 2)), ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4))),
    ),
}


class CheckpointError(ValueError):
    """The wheel does not hold the checkpoint that is expected."""


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
    if (found := digest_of(arrays)) != CHECKPOINTS[name].digest:
        raise CheckpointError(f"The arrays of {name} have the hash {found}, not {CHECKPOINTS[name].digest}.")
    return arrays


def copy_checkpoint(wheel: Path, name: str, folder: Path) -> Path:
    """Copy a checkpoint into a folder under a prefix that TensorFlow accepts, and give that prefix.

    In the wheel its files have no name before the dot, and the file beside them that names the newest
    checkpoint holds a path of the machine it was trained on.
    """
    source = wheel / "musicnn" / CHECKPOINTS[name].folder
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


def normalisation(arrays: Arrays, number: int) -> tuple[FloatArray, FloatArray]:
    """Scale and shift of a batch normalisation in inference."""
    name = f"batch_normalization_{number}" if number else "batch_normalization"
    scale = arrays[f"{name}/gamma"] / np.sqrt(arrays[f"{name}/moving_variance"] + _EPSILON)
    return scale, arrays[f"{name}/beta"] - scale * arrays[f"{name}/moving_mean"]
