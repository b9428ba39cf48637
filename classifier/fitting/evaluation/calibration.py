"""Calibration of a version's outputs, fitted on clips that were held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.artifact import Calibration

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.intp]

LEAST_CONFIDENT_ACCURACY: Final = 0.82
"""Least accuracy of confident verdicts: two points above the 80 % that are promised, because the threshold
will be used on clips that it was not fitted on."""
MOST_MUSIC_LOST: Final = 0.01
"""Largest share of real music that the music threshold may refuse."""
LEAST_TO_CALIBRATE: Final = 20
"""Clips that a calibration can be fitted on."""
CAUTIOUS: Final = Calibration(temperature=1.5, unsure_below=0.6, music_threshold=0.5)
"""The calibration of a version for which fewer clips were held out."""


def log_loss(probabilities: FloatArray, targets: IntArray) -> float:
    """Mean negative log likelihood of the true labels."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-12)).mean())


def fit_temperature(logits: FloatArray, targets: IntArray) -> float:
    """The temperature between 0.1 and 10 with the least log loss (Guo et al., ICML 2017).

    Parameters
    ----------
    logits
        (n, n_labels), one row per track, already pooled over its patches.
    """
    candidates = np.geomspace(0.1, 10.0, 801)
    losses = [log_loss(softmax(logits / t), targets) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def fit_unsure_threshold(
    probabilities: FloatArray, targets: IntArray, *, least_accuracy: float = LEAST_CONFIDENT_ACCURACY
) -> float:
    """The lowest confidence above which at least `least_accuracy` of the verdicts are right.

    Falls back to the confidence of the surest verdict where no threshold reaches that.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    reached = np.flatnonzero(share >= least_accuracy)
    return float(confidence[order][reached[-1] if len(reached) else 0])


def fit_music_threshold(music: FloatArray, *, most_lost: float = MOST_MUSIC_LOST) -> float:
    """Even odds, or less where more than `most_lost` of real music would then be refused.

    Parameters
    ----------
    music
        (n,) mean probability of music of real tracks.
    """
    return min(0.5, float(np.quantile(music, most_lost)))


def fit_calibration(
    logits: FloatArray,
    targets: IntArray,
    music: FloatArray,
    *,
    degraded: Sequence[tuple[FloatArray, IntArray]] = (),
) -> Calibration:
    """Fit temperature and thresholds.

    Parameters
    ----------
    logits, targets, music
        Of n clean clips: (n, n_labels), (n,), and (n,) probabilities of music. The temperature is fitted on
        these, so that the calibration error is that of clean clips.
    degraded
        Logits and targets under other conditions, for which the confidence threshold must hold as well.
    """
    temperature = fit_temperature(logits, targets)
    return Calibration(
        temperature=temperature,
        unsure_below=max(
            fit_unsure_threshold(softmax(some / temperature), their_targets)
            for some, their_targets in ((logits, targets), *degraded)
        ),
        music_threshold=fit_music_threshold(music),
    )
