"""Stored embeddings of clips, on which a new head is fitted and measured without the clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import channels, patches
from classifier.core.dataset import Examples
from classifier.core.outputs import Runner
from classifier.core.patches import PatchParams
from classifier.fitting.evaluation.outputs import Outputs, run_tracks

VARIANTS = 3
_REPLAY_SEED = 77


def write_replay(
    path: Path, network: Runner, examples: Examples, names: Sequence[str], params: PatchParams
) -> None:
    """Embed every clip whole and clean, and as seeded crops through random channels; see `releases.Replay`.

    A crop is at least a patch and at most the whole clip, so that it is as uncertain as a short upload.
    """
    clips = np.arange(len(examples))
    clip = np.concatenate([clips, np.repeat(clips, VARIANTS)])
    numbers = np.tile(np.arange(1, VARIANTS + 1), len(clips))
    save_replay(
        path,
        embeddings=run_tracks(network, _replayed(examples, params), params).embeddings,
        targets=examples.targets[clip],
        clip=clip,
        variant=np.concatenate([np.zeros_like(clips), numbers]),
        names=names,
    )


def _replayed(examples: Examples, params: PatchParams) -> Iterator[NDArray[np.float32]]:
    """Decibels of all clips, then of the variants of each; computed one by one to save memory."""
    yield from examples.db
    for index, db in enumerate(examples.db):
        for number in range(1, VARIANTS + 1):
            rng = np.random.default_rng([_REPLAY_SEED, index, number])
            width = int(rng.integers(min(params.n_columns, db.shape[1]), db.shape[1] + 1))
            start = int(rng.integers(0, db.shape[1] - width + 1))
            power = patches.db_to_power(db[:, start : start + width])
            yield patches.to_db(channels.random_channel(power, rng), params)


def save_replay(
    path: Path,
    *,
    embeddings: NDArray[np.floating[Any]],
    targets: NDArray[np.integer[Any]],
    clip: NDArray[np.integer[Any]],
    variant: NDArray[Any],
    names: Sequence[str],
) -> None:
    """Write the arrays of `releases.Replay`, embeddings in half precision."""
    np.savez_compressed(
        path,
        embeddings=embeddings.astype(np.float16),
        targets=targets.astype(np.int16),
        clip=clip.astype(np.int32),
        variant=variant.astype(np.uint8),
        names=np.array(names, dtype=np.str_),
    )


def write_evaluation_features(
    path: Path,
    *,
    names: Sequence[str],
    targets: NDArray[np.integer[Any]],
    clean: Outputs,
    degraded: Mapping[str, Outputs],
) -> None:
    """Write the outputs for the test clips, clean and after channels; see `releases.EvaluationFeatures`.

    Parameters
    ----------
    degraded
        By the name of the channel, each for all clips; may be empty.
    """
    channel_embeddings = [outputs.embeddings for outputs in degraded.values()]
    shape = (len(channel_embeddings), *clean.embeddings.shape)
    np.savez_compressed(
        path,
        names=np.array(names, dtype=np.str_),
        targets=targets.astype(np.int16),
        embeddings=clean.embeddings.astype(np.float16),
        music=clean.music,
        channel_names=np.array(list(degraded), dtype=np.str_),
        channel_embeddings=np.array(channel_embeddings, dtype=np.float16).reshape(shape),
    )
