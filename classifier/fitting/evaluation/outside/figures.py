"""Shares with confidence intervals, of answers that are not independent of each other."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.inference import Prediction

BoolArray = NDArray[np.bool_]

_RESAMPLES: Final = 2000
_Z: Final = 1.96

Share = dict[str, float | int]


def share(
    hits: BoolArray | NDArray[np.float64],
    groups: Sequence[Hashable],
    *,
    among: BoolArray | None = None,
    seed: int = 0,
) -> Share | None:
    """The share of hits with its 95 % percentile bootstrap interval over groups.

    Parameters
    ----------
    hits
        (n,)
    groups
        (n,) of each row. Rows of one group, such as songs of one artist, are drawn together.
    among
        (n,) rows that count; all where None.

    Returns
    -------
    ``value``, ``low``, ``high`` and ``n``, the number of rows that count; None where that is 0.
    """
    counts = np.ones(len(hits), bool) if among is None else np.asarray(among, bool)
    if not counts.any():
        return None
    numbers = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    member = np.array([numbers[group] for group in groups])
    right = np.bincount(member, weights=np.asarray(hits * counts, float), minlength=len(numbers))
    total = np.bincount(member, weights=counts.astype(float), minlength=len(numbers))
    drawn = np.random.default_rng(seed).multinomial(
        len(numbers), np.full(len(numbers), 1 / len(numbers)), size=_RESAMPLES
    )
    totals = drawn @ total
    low, high = np.percentile((drawn @ right)[totals > 0] / totals[totals > 0], [2.5, 97.5])
    value = right.sum() / total.sum()
    return {"value": float(value), "low": float(low), "high": float(high), "n": int(total.sum())}


def counted_share(hits: int, n: int) -> Share | None:
    """The share of hits with its 95 % interval (Wilson, 1927), which holds for 0 of n as well."""
    if n == 0:
        return None
    p = hits / n
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return {"value": p, "low": max(0.0, centre - half), "high": min(1.0, centre + half), "n": n}


def range_without_each(
    hits: BoolArray, groups: Sequence[Hashable], *, among: BoolArray | None = None
) -> list[float] | None:
    """The least and the largest share of hits when each group is left out in turn."""
    counts = np.ones(len(hits), bool) if among is None else np.asarray(among, bool)
    shares = []
    for group in dict.fromkeys(groups):
        kept = counts & np.array([other != group for other in groups])
        if kept.any():
            shares.append(float(hits[kept].mean()))
    return [min(shares), max(shares)] if shares else None


class Answers:
    """Answers for n tracks beside the labels that are right for each.

    Attributes
    ----------
    right
        (n,) whether the likeliest genre is one of those accepted; "no music" is not right.
    strictly
        (n,) whether it is the first of those accepted.
    sure, music, style
        (n,) whether a genre was named for sure, music was found, and the track was called none of the genres.
    """

    def __init__(
        self,
        predictions: Sequence[Prediction],
        accepted: Sequence[Sequence[str]],
        groups: Sequence[Hashable],
    ) -> None:
        self.groups = list(groups)
        rows = list(zip(predictions, accepted, strict=True))
        self.right: BoolArray = np.array([p.label in labels for p, labels in rows], bool)
        self.strictly: BoolArray = np.array([p.label == labels[0] for p, labels in rows], bool)
        self.sure: BoolArray = np.array([is_sure(p) for p in predictions], bool)
        self.music: BoolArray = np.array([p.music for p in predictions], bool)
        self.style: BoolArray = np.array([p.style is not None for p in predictions], bool)

    def figures(self, among: BoolArray | None = None) -> dict[str, Any]:
        """Shares that are right, sure, and right among the sure ones, of the tracks in `among`."""
        rows = np.ones(len(self.groups), bool) if among is None else among
        return {
            "n": int(rows.sum()),
            "groups": len({group for group, row in zip(self.groups, rows, strict=True) if row}),
            "right": share(self.right, self.groups, among=rows),
            "sure": share(self.sure, self.groups, among=rows),
            "right_when_sure": share(self.right, self.groups, among=rows & self.sure),
        }


def is_sure(prediction: Prediction) -> bool:
    """Whether a genre is named without saying that it should not be relied on."""
    return prediction.label is not None and not prediction.unsure


def mean(values: BoolArray) -> float | None:
    """The share of true values; None where there are none."""
    return float(values.mean()) if len(values) else None
