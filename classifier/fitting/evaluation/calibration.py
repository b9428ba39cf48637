"""How raw outputs are to be read, fitted on tracks that were held out of training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.inference import softmax

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.intp]


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


def fit_unsure_threshold(probabilities: FloatArray, targets: IntArray, *, least_accuracy: float) -> float:
    """The lowest confidence above which at least `least_accuracy` of the verdicts are right.

    Falls back to the confidence of the surest verdict where no threshold reaches that.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    reached = np.flatnonzero(share >= least_accuracy)
    return float(confidence[order][reached[-1] if len(reached) else 0])


def fit_music_threshold(music: FloatArray, *, most_lost: float) -> float:
    """Even odds, or less where more than `most_lost` of real music would then be refused.

    Parameters
    ----------
    music
        (n,) mean probability of music of real tracks.
    """
    return min(0.5, float(np.quantile(music, most_lost)))
