"""The prediction for a track, as every method of the platform gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """The genres of one stretch of a track: seconds from its beginning, probabilities by label."""

    start: float
    end: float
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class TrackTags:
    """The tagger's output for a whole track.

    Attributes
    ----------
    strengths
        Probability of each tag by name, MTT's with the prefix ``mtt:``; the mean over the patches.
    row
        (n_features,) float32, the input of a head on the tagger: MSD's pooled channels and embedding, means
        over the patches.
    embedding
        (200,) float32, the part of `row` that is MSD's embedding.
    version
        Names the weights of the tagger.
    levelled
        As `row`, of the sound at a common level; None where nobody asked for it.
    """

    strengths: Mapping[str, float]
    row: NDArray[np.float32]
    embedding: NDArray[np.float32]
    version: str
    levelled: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for a track.

    Attributes
    ----------
    label
        The most probable genre, or None where no music was found.
    confidence
        The calibrated probability of the most probable genre.
    unsure
        True where the prediction is not reliable enough to be stated, or no music was found.
    music
        False for silence, noise, test tones, speech and the like.
    probabilities
        By label, summing to 1.
    timeline
        Contiguous segments from 0 to the track's duration.
    embedding
        (n_embedding,) float32 of the version's own network, pooled like the verdict.
    tags
        The tagger's output; None where there is no tagger or the version does not use one.
    reason
        Why no genre is sure, where the sound is why: ``no_music``, ``talk_and_noise`` that are louder than
        the music, or ``too_short``; else None.
    style
        The strongest style that is none of the labels, where such styles clearly outweigh; else None.
    """

    label: str | None
    confidence: float
    unsure: bool
    music: bool
    probabilities: dict[str, float]
    timeline: list[Segment]
    embedding: NDArray[np.float32]
    tags: TrackTags | None = None
    style: str | None = None
    reason: str | None = None

    def likely(self, k: int = 3) -> list[str]:
        """The genres to name when unsure: the best two, then, up to `k`, those at least half as probable."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        best = ranked[0][1]
        return [label for i, (label, p) in enumerate(ranked[: max(k, 2)]) if i < 2 or p >= best / 2]
