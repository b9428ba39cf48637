"""Simulated recordings as further examples for the head on the tagger's features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, AudioLimits, decode
from classifier.core.dataset import DatasetError
from classifier.core.enhancement import enhance
from classifier.core.tagger import Tagger
from classifier.core.verdict import pool_tags
from classifier.fitting.data.recordings import simulated_recording, voices
from classifier.fitting.tagger_head import HeadExamples, chosen_clips

EXCERPT_SECONDS: Final = 3.2
"""Of each clip: a little more than what the tagger looks at in one piece."""
_LIMITS = AudioLimits(min_duration=0.5)


@dataclass(frozen=True, slots=True)
class RecordingRecipe:
    """How many recordings are simulated.

    Attributes
    ----------
    rounds
        Recordings of each clip, each with another room, loudspeaker and crowd.
    voices
        How many voices all crowds are made of.
    share
        How much all recordings together count beside all clean clips together.
    seed
        Of all of it.
    """

    rounds: int = 2
    voices: int = 80
    share: float = 1.0
    seed: int = 11


def add_recordings(
    examples: HeadExamples,
    data: Path,
    tagger: Tagger,
    *,
    recipe: RecordingRecipe = RecordingRecipe(),
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExamples:
    """Add simulated recordings of the clips in a data folder, enhanced as in service.

    Raises
    ------
    DatasetError
        The table is missing or there is no sound.
    """
    chosen = chosen_clips(data, examples.labels)
    if not chosen:
        raise DatasetError(f"There is no sound of the train and validation parts in {data}.")
    rng = np.random.default_rng(recipe.seed)
    crowd = voices(recipe.voices, rng)
    rows, targets = [], []
    for done, (path, genre, _) in enumerate(chosen):
        with path.open("rb") as file:
            samples = decode(file, limits=_LIMITS).samples
        for _ in range(recipe.rounds):
            rows.append(_row(samples, crowd, tagger, rng))
            targets.append(examples.labels.index(genre))
        on_clip(done + 1, len(chosen))
    shares = np.full(len(rows), recipe.share * examples.shares.sum() / len(rows))
    return HeadExamples(
        rows=np.concatenate([examples.rows, np.stack(rows)]),
        targets=np.concatenate([examples.targets, np.array(targets, np.intp)]),
        shares=np.concatenate([examples.shares, shares]),
        labels=examples.labels,
    )


def _row(
    samples: NDArray[np.float32],
    crowd: Sequence[NDArray[np.float64]],
    tagger: Tagger,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    length = int(EXCERPT_SECONDS * SAMPLE_RATE)
    begin = int(rng.integers(max(len(samples) - length, 0) + 1))
    excerpt = samples[begin : begin + length].astype(np.float64)
    heard = enhance(simulated_recording(excerpt, crowd, rng).astype(np.float32))
    output = tagger.tag(heard, networks=("msd",), most=1)
    return pool_tags(output, version=tagger.version).row
