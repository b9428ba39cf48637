"""The files of a version: which there are, and what they must hold to be believed.

A version may come from another site, so nothing in its files is taken on trust: shapes, sizes and numbers are
checked before anything is built from them, and no file can make this program run what it holds.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.features import FeatureParams
from classifier.core.patches import PatchParams

FORMAT_VERSION = 1
METADATA_FILE = "metadata.json"
MODEL_FILE = "model.tflite"
ARRAYS_FILE = "model.npz"
TRAINING_FOLDER = "training"
"""Within a release folder: what only further training reads. In the storage all files lie side by side."""

DEFAULT_ARCHITECTURE = "residual-cnn"
"""Of the releases made before versions named theirs."""
MODEL_FILES: Final[Mapping[str, str]] = {
    DEFAULT_ARCHITECTURE: MODEL_FILE,
    "efficientnet-b0": MODEL_FILE,
    "mfcc-knn": ARRAYS_FILE,
    "feature-mlp": ARRAYS_FILE,
}
"""The file that a version of each architecture answers from."""

MOST_LABELS = 1000
MOST_ARRAY_BYTES = 256 * 1024**2

_REQUIRED = frozenset({"name", "labels", "feature_version", "patches", "calibration", "sha256"})


class ReleaseError(ValueError):
    """A release cannot be used; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How raw outputs are read; fitted on tracks that were held out of training.

    Attributes
    ----------
    temperature
        Divides the genre logits (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
    unsure_below
        A verdict with a lower confidence is marked unsure.
    music_threshold
        Least mean probability of music for a genre to be named at all.
    """

    temperature: float
    unsure_below: float
    music_threshold: float


def file_in(folder: Path, name: str) -> Path:
    """Give the path of a file of a version, which may lie in its `TRAINING_FOLDER` or not exist."""
    path = folder / name
    return path if path.exists() else folder / TRAINING_FOLDER / name


def read_metadata(path: Path) -> dict[str, Any]:
    """Read and check the metadata of a release folder.

    Raises
    ------
    ReleaseError
        The file is missing, is not valid, or was written for another format or for other features.
    """
    try:
        content = (path / METADATA_FILE).read_text(encoding="utf-8")
        metadata = json.loads(content, parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ReleaseError(f"The metadata of release {path.name} cannot be read: {error}.") from error
    found = metadata.get("format_version") if isinstance(metadata, dict) else None
    if found != FORMAT_VERSION:
        raise ReleaseError(
            f"Release {path.name} has format version {found}; this program reads {FORMAT_VERSION}."
        )
    if missing := _REQUIRED - metadata.keys():
        raise ReleaseError(f"The metadata of release {path.name} lack {', '.join(sorted(missing))}.")
    _check(metadata, path.name)
    return dict(metadata)


def read_model(path: Path, metadata: Mapping[str, Any]) -> bytes:
    """Read the file that a version answers from and check its hash.

    Raises
    ------
    ReleaseError
        It cannot be read or is not the one that the metadata describe.
    """
    try:
        model = (path / MODEL_FILES[architecture_of(metadata)]).read_bytes()
    except OSError as error:
        raise ReleaseError(f"The model file of release {path.name} cannot be read: {error}.") from error
    if hashlib.sha256(model).hexdigest() != metadata["sha256"]:
        raise ReleaseError(f"The model file of release {path.name} does not match the hash in its metadata.")
    return model


def architecture_of(metadata: Mapping[str, Any]) -> str:
    """Name the architecture of a version."""
    return str(metadata.get("architecture", DEFAULT_ARCHITECTURE))


def backbone_of(metadata: Mapping[str, Any]) -> str:
    """Name what made a version's embeddings: two versions with the same one give the same embeddings."""
    return str(metadata.get("backbone_sha256", metadata["sha256"]))


def arrays_from(content: bytes, *, what: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of an ``.npz`` file that anybody may have made.

    Only numbers and texts are accepted, no Python objects, all numbers must be finite, and what would unpack
    to more than `MOST_ARRAY_BYTES` is not unpacked.

    Raises
    ------
    ReleaseError
        The file is something else; the message begins with `what`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_ARRAY_BYTES:
                raise ReleaseError(f"{what} would need too much memory.")
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {name: np.asarray(loaded[name]) for name in loaded.files}
    except ReleaseError:
        raise
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{what} cannot be read: {error}.") from error
    except (RuntimeError, NotImplementedError) as error:  # an encrypted member, an unknown compression
        raise ReleaseError(f"{what} cannot be read: {error}.") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiuU":
            raise ReleaseError(f"{what} hold something other than numbers: {name}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ReleaseError(f"{what} hold numbers that are none: {name}.")
    return arrays


def shaped(
    arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int | str, ...]], *, what: str
) -> dict[str, int]:
    """Check that arrays are there and fit together.

    Parameters
    ----------
    shapes
        Of each array: sizes, or names of sizes that must be the same wherever they occur.

    Returns
    -------
    dict
        The named sizes.

    Raises
    ------
    ReleaseError
        An array is missing or has another shape; the message begins with `what`.
    """
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in arrays:
            raise ReleaseError(f"{what} lack {name}.")
        found = arrays[name].shape
        wanted = tuple(
            sizes.setdefault(side, size) if isinstance(side, str) else side
            for side, size in zip(shape, found, strict=False)
        )
        if len(found) != len(shape) or found != wanted:
            raise ReleaseError(f"{what} hold {name} of shape {found}, which does not fit.")
    return sizes


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _check(metadata: Mapping[str, Any], name: str) -> None:
    for key, expected in (("patches", PatchParams), ("calibration", Calibration)):
        entry = metadata[key]
        if not isinstance(entry, dict) or set(entry) != {field.name for field in fields(expected)}:
            raise ReleaseError(f"The {key} entry of release {name} does not hold the expected values.")
        if not all(_is_number(value) for value in entry.values()):
            raise ReleaseError(f"The {key} entry of release {name} holds what is not a number.")
    for what, version, current in (
        ("features", metadata["feature_version"], FeatureParams().version),
        ("patches", metadata["patches"]["version"], patches.PATCH_VERSION),
    ):
        if version != current:
            raise ReleaseError(
                f"Release {name} was trained on {what} {version}; this program makes {what} {current}."
            )
    if architecture_of(metadata) not in MODEL_FILES:
        raise ReleaseError(
            f"Release {name} is a {architecture_of(metadata)!r:.40}, which this program cannot run."
        )
    labels = metadata["labels"]
    if (
        not isinstance(labels, list)
        or not 2 <= len(labels) <= MOST_LABELS
        or not all(isinstance(label, str) and 0 < len(label) <= 40 for label in labels)
        or len(set(labels)) != len(labels)
    ):
        raise ReleaseError(f"The labels entry of release {name} is not a list of different names.")
    if not all(isinstance(metadata[key], str) and metadata[key] for key in ("name", "sha256")):
        raise ReleaseError(f"The name and the hash of release {name} must be texts.")
    if not _sensible(metadata["patches"], metadata["calibration"]):
        raise ReleaseError(f"The patches or calibration entry of release {name} makes no sense.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _sensible(cut: Mapping[str, Any], calibration: Mapping[str, Any]) -> bool:
    heard = FeatureParams()
    whole = all(
        isinstance(cut[key], int)
        for key in ("sample_rate", "hop_length", "n_mels", "n_columns", "hop_columns")
    )
    return (
        whole
        and (cut["sample_rate"], cut["hop_length"], cut["n_mels"])
        == (heard.sample_rate, heard.hop_length, heard.n_mels)
        and 0.5 <= cut["frames_per_column"] <= 100
        and 4 <= cut["n_columns"] <= 4096
        and 1 <= cut["hop_columns"] <= cut["n_columns"]
        and 0 <= cut["reference_percentile"] <= 100
        and cut["floor_db"] < cut["ceiling_db"]
        and cut["ceiling_db"] > 0
        and 0 < cut["dynamic_range_db"] <= 200
        and 0.01 <= calibration["temperature"] <= 100
        and 0 <= calibration["unsure_below"] <= 1
        and 0 <= calibration["music_threshold"] <= 1
    )
