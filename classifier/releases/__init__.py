"""The classifier that ships with the project.

A release folder holds what serves: ``metadata.json``, the files that it names and the tables of its
evaluation. In its folder ``training/`` lies what only further training reads. At start a site stores it like
any other version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.artifact import ReleaseError, file_in, read_metadata
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.verdict import HEAD_REPLAY_FILE

__all__ = [
    "EVALUATION_FEATURES_FILE",
    "REPLAY_FILE",
    "TRAINING_FILES",
    "EvaluationFeatures",
    "ReleaseError",
    "Replay",
    "current_release",
    "read_evaluation_features",
    "read_metadata",
    "read_replay",
]

CURRENT = "2026.12.3"
REPLAY_FILE = "replay.npz"
EVALUATION_FEATURES_FILE = "frozen.npz"
TRAINING_FILES = frozenset({WEIGHTS_FILE, REPLAY_FILE, HEAD_REPLAY_FILE, EVALUATION_FEATURES_FILE})
"""Read by further training and evaluation only: serving does not wait for them."""

FloatArray = NDArray[np.float32]


def current_release() -> Path:
    """Folder of the release that a new installation puts into service."""
    return Path(__file__).parent / CURRENT


@dataclass(frozen=True, slots=True)
class Replay:
    """Embeddings of the clips that a release was fitted on, to fit a new head without the clips.

    The network was fitted on these clips, so their embeddings are better separated than those of new clips,
    and a head fitted on them alone is overconfident. The crops through channels come closest to unseen clips.

    Attributes
    ----------
    embeddings
        (n, n_embedding) float32, pooled over a track; several rows per clip.
    targets
        (n,) index of the label of each row.
    clip
        (n,) place of each row's clip in `names`.
    variant
        (n,) 0 for the whole clip as it is; above that, random crops through random channels.
    names
        Of the clips.
    """

    embeddings: FloatArray
    targets: NDArray[np.intp]
    clip: NDArray[np.intp]
    variant: NDArray[np.intp]
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class EvaluationFeatures:
    """Embeddings of the test clips by a release: versions with a new head are evaluated on them.

    Attributes
    ----------
    names, targets
        Of the n clips.
    embeddings
        (n, n_embedding) float32, pooled over each clip as it is.
    music
        (n,) probability of music of each clip.
    channel_names
        Of `channels.ROBUSTNESS`.
    channel_embeddings
        (n_channels, n, n_embedding) float32, the same clips after each of those.
    """

    names: Sequence[str]
    targets: NDArray[np.intp]
    embeddings: FloatArray
    music: FloatArray
    channel_names: Sequence[str]
    channel_embeddings: FloatArray


def read_replay(release: Path) -> Replay:
    """Read the replay set of a release folder.

    Raises
    ------
    ReleaseError
        The file is missing, does not match the hash in the metadata, or is not such a set.
    """
    arrays = _read(release, REPLAY_FILE, "replay_sha256")
    try:
        replay = Replay(
            embeddings=arrays["embeddings"].astype(np.float32),
            targets=arrays["targets"].astype(np.intp),
            clip=arrays["clip"].astype(np.intp),
            variant=arrays["variant"].astype(np.intp),
            names=arrays["names"].tolist(),
        )
        rows = len(replay.embeddings)
        whole = {rows} == {len(replay.targets), len(replay.clip), len(replay.variant)}
        if not whole or replay.clip.max() >= len(replay.names):
            raise ReleaseError(f"The replay set of release {release.name} does not hold together.")
    except KeyError as error:
        raise ReleaseError(f"The replay set of release {release.name} lacks {error}.") from error
    return replay


def read_evaluation_features(release: Path) -> EvaluationFeatures:
    """Read the evaluation features of a release folder.

    Raises
    ------
    ReleaseError
        The file is missing, does not match the hash in the metadata, or is not such a set.
    """
    arrays = _read(release, EVALUATION_FEATURES_FILE, "frozen_sha256")
    try:
        features = EvaluationFeatures(
            names=arrays["names"].tolist(),
            targets=arrays["targets"].astype(np.intp),
            embeddings=arrays["embeddings"].astype(np.float32),
            music=arrays["music"].astype(np.float32),
            channel_names=arrays["channel_names"].tolist(),
            channel_embeddings=arrays["channel_embeddings"].astype(np.float32),
        )
    except KeyError as error:
        raise ReleaseError(f"The evaluation features of release {release.name} lacks {error}.") from error
    rows = len(features.names)
    whole = {rows} == {len(features.targets), len(features.embeddings), len(features.music)}
    if not whole or features.channel_embeddings.shape[:2] != (len(features.channel_names), rows):
        raise ReleaseError(f"The evaluation features of release {release.name} does not hold together.")
    return features


def _read(release: Path, file: str, key: str) -> dict[str, NDArray[Any]]:
    metadata = read_metadata(release)
    path = file_in(release, file)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{file} of release {release.name} cannot be read: {error}.") from error
    if hashlib.sha256(data).hexdigest() != metadata.get(key):
        raise ReleaseError(f"{file} of release {release.name} does not match the hash in its metadata.")
    try:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{file} of release {release.name} cannot be read: {error}.") from error
