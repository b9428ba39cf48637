"""Classification metrics with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.intp]

COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one method on one set of tracks.

    Attributes
    ----------
    n
        Tracks.
    accuracy, macro_f1
        With 95 % bootstrap intervals over tracks.
    recall
        By label.
    confusion
        Tracks by true label (rows) and predicted label (columns).
    calibration_error
        Expected calibration error of the most probable label.
    """

    n: int
    accuracy: Interval
    macro_f1: Interval
    recall: dict[str, float]
    confusion: list[list[int]]
    calibration_error: float


def confusion_matrix(targets: IntArray, predicted: IntArray, n_labels: int) -> IntArray:
    """(n_labels, n_labels) counts; rows are true labels, columns predicted ones."""
    cells = np.bincount(targets * n_labels + predicted, minlength=n_labels**2)
    return cells.reshape(n_labels, n_labels).astype(np.intp)


def accuracy(confusion: IntArray) -> float:
    """Share of tracks on the diagonal."""
    return float(np.trace(confusion) / confusion.sum())


def macro_f1(confusion: IntArray) -> float:
    """Mean F1 over the labels that occur, in truth or in prediction."""
    denominator = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = denominator > 0
    return float((2 * np.diag(confusion)[occurs] / denominator[occurs]).mean())


def recalls(confusion: IntArray) -> NDArray[np.float64]:
    """(n_labels,) recall of each label; NaN for a label without tracks."""
    totals = confusion.sum(axis=1)
    return np.where(totals > 0, np.diag(confusion) / np.maximum(totals, 1), np.nan)


def calibration_error(targets: IntArray, probabilities: FloatArray, *, n_bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)
    gaps = [abs(float(confidence[bins == b].sum() - right[bins == b].sum())) for b in range(n_bins)]
    return sum(gaps) / len(targets)


def bootstrap(
    statistic: Callable[[IntArray], float],
    targets: IntArray,
    predicted: IntArray,
    n_labels: int,
    *,
    clusters: IntArray | None = None,
    seed: int = 0,
    n_resamples: int = 2000,
) -> Interval:
    """A statistic of the confusion matrix with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    predicted
        (n,) predictions, or (n_seeds, n) where a method was fitted several times; the statistic is then the
        mean over the seeds, on the same draws.
    clusters
        (n,) cluster of each row. Rows of one cluster, such as segments of one track, are drawn together
        because they are not independent. Without it each row is its own cluster.
    """
    rng = np.random.default_rng(seed)
    cells = targets * n_labels + np.atleast_2d(predicted)
    member = np.arange(len(targets)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    n_clusters = int(member.max()) + 1

    def value(weights: NDArray[np.float64] | None) -> float:
        counts = [np.bincount(row, weights=weights, minlength=n_labels**2) for row in cells]
        return float(np.mean([statistic(count.reshape(n_labels, n_labels)) for count in counts]))

    values = []
    for _ in range(n_resamples):
        drawn = np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        values.append(value(drawn[member].astype(np.float64)))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(value=value(None), low=float(low), high=float(high))


def evaluate(targets: IntArray, probabilities: FloatArray, labels: Sequence[str]) -> Evaluation:
    """Measure predictions.

    Parameters
    ----------
    targets
        (n,) index of each track's true label.
    probabilities
        (n, n_labels), rows summing to 1.

    Raises
    ------
    ValueError
        If the shapes do not match or there is no track.
    """
    n, n_labels = len(targets), len(labels)
    if n == 0 or probabilities.shape != (n, n_labels):
        raise ValueError(f"{probabilities.shape} probabilities for {n} tracks and {n_labels} labels")
    predicted = probabilities.argmax(axis=1).astype(np.intp)
    confusion = confusion_matrix(targets, predicted, n_labels)
    return Evaluation(
        n=n,
        accuracy=bootstrap(accuracy, targets, predicted, n_labels),
        macro_f1=bootstrap(macro_f1, targets, predicted, n_labels),
        recall=dict(zip(labels, recalls(confusion).tolist(), strict=True)),
        confusion=confusion.tolist(),
        calibration_error=calibration_error(targets, probabilities),
    )


def accuracy_at_coverage(targets: IntArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Accuracy of the most confident predictions.

    Returns
    -------
    coverage : (n,)
        Share of tracks kept, from 1/n to 1.
    accuracy : (n,)
        Share of correct predictions among them.
    """
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    counts = np.arange(1, len(targets) + 1)
    return counts / len(targets), np.cumsum(right) / counts


def at_coverage(
    targets: IntArray, probabilities: FloatArray, shares: Sequence[float] = COVERAGES
) -> dict[str, float]:
    """Accuracy of the most confident predictions by the share of tracks kept, as "0.6"."""
    coverage, right = accuracy_at_coverage(targets, probabilities)
    # The tolerance is for shares such as 0.6 of 290 tracks, which is 174 but 173.99 in floating point.
    places = np.searchsorted(coverage, np.asarray(shares) - 1e-9)
    return {f"{share:g}": float(right[place]) for share, place in zip(shares, places, strict=True)}


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one method under one protocol, over one or more seeds.

    Attributes
    ----------
    n
        Tracks or segments.
    accuracy, macro_f1
        Means over the seeds, with 95 % bootstrap intervals over tracks, which do not include the spread
        between seeds.
    accuracies
        One per seed.
    deviation
        Standard deviation of these; None for a single one.
    recall
        By label; mean over the seeds.
    confusion
        By true label (rows) and predicted label (columns), summed over the seeds.
    calibration_error
        Mean over the seeds.
    coverage
        Accuracy of the most confident predictions by the share kept; mean over the seeds.
    """

    n: int
    accuracy: Interval
    accuracies: list[float]
    deviation: float | None
    macro_f1: Interval
    recall: dict[str, float]
    confusion: list[list[int]]
    calibration_error: float
    coverage: dict[str, float]


def measure(
    targets: IntArray, probabilities: FloatArray, labels: Sequence[str], *, clusters: IntArray | None = None
) -> Measured:
    """Measure a method that was fitted once per seed.

    Parameters
    ----------
    targets
        (n,) index of each true label.
    probabilities
        (n_seeds, n, n_labels), rows summing to 1.
    clusters
        (n,) the track of each row, where rows are pieces of tracks.

    Raises
    ------
    ValueError
        If the shapes do not match or there is nothing to measure.
    """
    n, n_labels = len(targets), len(labels)
    if (
        n == 0
        or probabilities.ndim != 3
        or probabilities.shape[1:] != (n, n_labels)
        or not len(probabilities)
    ):
        raise ValueError(f"{probabilities.shape} probabilities for {n} tracks and {n_labels} labels")
    predicted = probabilities.argmax(axis=2).astype(np.intp)
    confusion = sum(confusion_matrix(targets, row, n_labels) for row in predicted)
    right = (predicted == targets).mean(axis=1)
    covered = [at_coverage(targets, seed) for seed in probabilities]
    return Measured(
        n=n,
        accuracy=bootstrap(accuracy, targets, predicted, n_labels, clusters=clusters),
        accuracies=right.tolist(),
        deviation=float(right.std(ddof=1)) if len(right) > 1 else None,
        macro_f1=bootstrap(macro_f1, targets, predicted, n_labels, clusters=clusters),
        recall=dict(zip(labels, recalls(np.asarray(confusion)).tolist(), strict=True)),
        confusion=np.asarray(confusion).tolist(),
        calibration_error=float(np.mean([calibration_error(targets, seed) for seed in probabilities])),
        coverage={share: float(np.mean([row[share] for row in covered])) for share in covered[0]},
    )
