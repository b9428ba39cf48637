"""Whether there is music in a sound, and whether it can be heard well enough to name its genre.

A logistic regression on the tagger's features tells music from speech, everyday sounds and noise. It has not
been fitted on recordings in which both are heard; there its score falls as the music gets harder to hear, so
that the same number says when a genre must not be relied on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import sigmoid
from classifier.core.arrays import arrays_from, shaped
from classifier.core.errors import ReleaseError

FloatArray = NDArray[np.floating[Any]]

DETECTOR_FILE: Final = "music_detector.npz"

Reason = Literal["no_music", "talk_and_noise", "too_short"]


@dataclass(frozen=True, slots=True)
class DetectionParams:
    """Thresholds on the logit of music.

    Attributes
    ----------
    no_music_below
        No music is found below it.
    doubtful_below
        Below it, what is heard is mostly something else: no genre is sure.
    """

    no_music_below: float = -1.0
    doubtful_below: float = 0.0


DEFAULT_PARAMS: Final = DetectionParams()


@dataclass(frozen=True, slots=True)
class Audibility:
    """What the detector says about a sound.

    Attributes
    ----------
    probability
        Of music.
    music
        Whether any was found.
    reason
        Why the verdict must be unsure whatever the genres' probabilities are; None where nothing speaks
        against it.
    """

    probability: float
    music: bool
    reason: Reason | None


class MusicDetector:
    """A logistic regression on the tagger's features.

    Attributes
    ----------
    tagger
        `Tagger.version` of what gave the features it was fitted on.
    """

    def __init__(self, weights: FloatArray, bias: float, tagger: str) -> None:
        self.weights = np.asarray(weights, np.float32)
        self.bias = float(bias)
        self.tagger = tagger

    @classmethod
    def from_bytes(cls, content: bytes) -> MusicDetector:
        """Read what `classifier.fitting.music_detection` wrote; anybody may have made it.

        Raises
        ------
        ReleaseError
            It is something else.
        """
        what = "The music detector"
        arrays = arrays_from(content, what=what)
        shaped(arrays, {"weights": ("d",), "bias": (), "metadata": ()}, what=what)
        try:
            tagger = json.loads(str(arrays["metadata"]))["tagger"]
        except (ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"{what} does not say what it is for.") from error
        if not isinstance(tagger, str):
            raise ReleaseError(f"{what} does not say what it is for.")
        return cls(arrays["weights"], float(arrays["bias"]), tagger)

    def score(self, row: FloatArray) -> float:
        """Logit of music for a (n_features,) row of `classifier.core.verdict.pool_tags`.

        Raises
        ------
        ValueError
            The row has another length.
        """
        if row.shape != self.weights.shape:
            raise ValueError(f"expected {self.weights.shape}, got {row.shape}")
        return float(np.float64(row @ self.weights) + self.bias)

    def probability(self, row: FloatArray) -> float:
        """Probability of music."""
        return float(sigmoid(np.array(self.score(row))))


def assess(score: float, params: DetectionParams = DEFAULT_PARAMS) -> Audibility:
    """Interpret a score of `MusicDetector.score`."""
    music = score >= params.no_music_below
    drowned = score < params.doubtful_below
    return Audibility(
        probability=float(sigmoid(np.array(score))),
        music=music,
        reason="no_music" if not music else "talk_and_noise" if drowned else None,
    )
