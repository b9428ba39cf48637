"""What a release keeps of its clips, so that a new head can be fitted and judged without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import channels, patches
from classifier.core.dataset import Examples
from classifier.core.inference import NetworkOutput, Runner, pool
from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]

VARIANTS = 3
_REPLAY_SEED = 77


@dataclass(frozen=True, slots=True)
class Outputs:
    """Pooled outputs of n tracks: (n, n_labels) logits, (n,) probability of music, (n, n_embedding)."""

    logits: FloatArray
    music: FloatArray
    embeddings: FloatArray


class KerasRunner:
    """A Keras network where a served one is expected."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Raw outputs for (n, n_mels, n_columns) inputs, all at once."""
        raw = self._model.predict_on_batch(inputs[..., None])
        return NetworkOutput(
            logits=np.asarray(raw["logits"]),
            music_logits=np.asarray(raw["music"])[:, 0],
            embeddings=np.asarray(raw["embedding"]),
        )


def run(network: Runner, tracks: Sequence[FloatArray], params: PatchParams) -> Outputs:
    """Outputs per track for (n_mels, n_columns) decibels."""
    pooled = []
    for db in tracks:
        inputs = patches.cut(db, params).inputs
        # The set's decibels are relative, so silence cannot be told; its clips are music throughout.
        pooled.append(pool(network.run(inputs), np.ones(len(inputs), dtype=np.float32)))
    return Outputs(
        logits=np.stack([track.logits for track in pooled]),
        music=np.array([track.music for track in pooled], dtype=np.float32),
        embeddings=np.stack([track.embedding for track in pooled]),
    )


def through_fixed(tracks: Sequence[FloatArray], name: str, params: PatchParams) -> list[FloatArray]:
    """Decibels of tracks after one entry of `channels.ROBUSTNESS`."""
    return [
        patches.to_db(channels.through_fixed(patches.db_to_power(db), name, clip=index), params)
        for index, db in enumerate(tracks)
    ]


def write_replay(
    path: Path, network: Runner, examples: Examples, names: Sequence[str], params: PatchParams
) -> None:
    """Embed every clip whole and clean, and as seeded crops through random channels; see `releases.Replay`.

    A crop is at least a patch and at most the whole clip, so that it is as uncertain as a short upload.
    """
    tracks = list(examples.db)
    clip, variant = list(range(len(tracks))), [0] * len(tracks)
    for index, db in enumerate(examples.db):
        for number in range(1, VARIANTS + 1):
            rng = np.random.default_rng([_REPLAY_SEED, index, number])
            width = int(rng.integers(min(params.n_columns, db.shape[1]), db.shape[1] + 1))
            start = int(rng.integers(0, db.shape[1] - width + 1))
            power = patches.db_to_power(db[:, start : start + width])
            tracks.append(patches.to_db(channels.random_channel(power, rng), params))
            clip.append(index)
            variant.append(number)
    np.savez_compressed(
        path,
        embeddings=run(network, tracks, params).embeddings.astype(np.float16),
        targets=examples.targets[clip].astype(np.int16),
        clip=np.array(clip, dtype=np.int32),
        variant=np.array(variant, dtype=np.uint8),
        names=np.array(names),
    )


def write_evaluation_features(
    path: Path,
    examples: Examples,
    names: Sequence[str],
    clean: Outputs,
    heard: dict[str, Outputs],
) -> None:
    """Keep outputs for held-out clips, clean and under each channel; see `releases.EvaluationFeatures`."""
    np.savez_compressed(
        path,
        names=np.array(names),
        targets=examples.targets.astype(np.int16),
        embeddings=clean.embeddings.astype(np.float16),
        music=clean.music,
        channel_names=np.array(list(heard)),
        channel_embeddings=np.stack([outputs.embeddings for outputs in heard.values()]).astype(np.float16),
    )
