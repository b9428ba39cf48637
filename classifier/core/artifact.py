"""The files of a version, and the checks on their content.

A version may come from another site, so its files are untrusted input: types, sizes, shapes and ranges are
checked before anything is built from them, and nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from classifier.core import architectures, patches
from classifier.core.architectures import ARCHITECTURES, MODEL_FILE, Architecture
from classifier.core.arrays import arrays_from
from classifier.core.errors import ReleaseError
from classifier.core.features import FeatureParams
from classifier.core.patches import PatchParams

__all__ = [
    "FORMAT_VERSION",
    "METADATA_FILE",
    "MODEL_FILE",
    "MOST_LABELS",
    "TRAINING_FOLDER",
    "Calibration",
    "ReleaseError",
    "architecture",
    "architecture_of",
    "arrays_from",
    "backbone_of",
    "file_in",
    "file_sha256",
    "read_metadata",
    "read_model",
]

FORMAT_VERSION = 1
METADATA_FILE = "metadata.json"
TRAINING_FOLDER = "training"
"""Within a release folder: what only further training reads. In the storage all files lie side by side."""

MOST_LABELS = 1000

_REQUIRED = frozenset({"name", "labels", "feature_version", "patches", "calibration", "sha256"})


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
    """Read the model file of a version and check its hash.

    Raises
    ------
    ReleaseError
        It cannot be read or is not the one that the metadata describe.
    """
    try:
        model = (path / architecture(metadata).model_file).read_bytes()
    except OSError as error:
        raise ReleaseError(f"The model file of release {path.name} cannot be read: {error}.") from error
    if hashlib.sha256(model).hexdigest() != metadata["sha256"]:
        raise ReleaseError(f"The model file of release {path.name} does not match the hash in its metadata.")
    return model


def architecture_of(metadata: Mapping[str, Any]) -> str:
    """Name of a version's architecture; it may be one that this program does not know."""
    return str(metadata.get("architecture", architectures.DEFAULT.name))


def architecture(metadata: Mapping[str, Any]) -> Architecture:
    """Architecture of a version whose metadata were checked by `read_metadata`."""
    return ARCHITECTURES[architecture_of(metadata)]


def backbone_of(metadata: Mapping[str, Any]) -> str:
    """Hash of the network that computes a version's embeddings; with the same one they are comparable."""
    return str(metadata.get("backbone_sha256", metadata["sha256"]))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    if architecture_of(metadata) not in ARCHITECTURES:
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
    current = FeatureParams()
    whole = all(
        isinstance(cut[key], int)
        for key in ("sample_rate", "hop_length", "n_mels", "n_columns", "hop_columns")
    )
    return (
        whole
        and (cut["sample_rate"], cut["hop_length"], cut["n_mels"])
        == (current.sample_rate, current.hop_length, current.n_mels)
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
