"""Routes through a space of vectors: from one to another in steps that are as small as possible."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.lenses import unit

FloatArray = NDArray[np.float32]
Float64 = NDArray[np.float64]

_OPPOSITE: Final = 1e-3


def waypoints(start: FloatArray, end: FloatArray, count: int) -> FloatArray:
    """Unit vectors evenly spaced on the shortest arc between two: (count, n) of (n,) unit vectors each.

    Both ends are left out. Between opposite vectors, which have no shortest arc, the straight line is
    followed.
    """
    shares = np.arange(1, count + 1)[:, None] / (count + 1)
    angle = float(np.arccos(np.clip(float(start @ end), -1.0, 1.0)))
    if np.sin(angle) < _OPPOSITE:
        return unit(np.asarray((1 - shares) * start + shares * end, np.float32))
    # Spherical linear interpolation (Shoemake, SIGGRAPH 1985).
    points = np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * end
    return unit(np.asarray(points / np.sin(angle), np.float32))


def shortest(start: FloatArray, end: FloatArray, points: FloatArray, n_between: int) -> list[int]:
    """Choose points that lead from one vector to another.

    Of all choices that go forward, that is, whose projections on the line from `start` to `end` do not
    decrease, the one with the smallest sum of squared steps; so no step is much longer than others.

    Parameters
    ----------
    start, end
        (n,)
    points
        (n_points, n) to choose from; none is chosen twice.
    n_between
        How many to choose; all of them where there are fewer.

    Returns
    -------
    Rows of `points`, in order.

    Notes
    -----
    Exact, by dynamic programming over the points in the order of their projections: O(n_between n_points²).
    """
    n_between = min(n_between, len(points))
    if n_between <= 0:
        return []
    order = np.argsort(points.astype(np.float64) @ (end - start), kind="stable")
    sorted_ = points[order].astype(np.float64)
    norms = np.square(sorted_).sum(axis=1)
    steps = np.maximum(norms[:, None] + norms[None] - 2 * sorted_ @ sorted_.T, 0.0)
    # A step leads forward: from a row to a later one.
    steps[np.tril_indices(len(sorted_))] = np.inf
    costs = np.square(sorted_ - start).sum(axis=1)
    before: list[NDArray[np.intp]] = []
    for _step in range(n_between - 1):
        through = costs[:, None] + steps
        before.append(through.argmin(axis=0))
        costs = through.min(axis=0)
    place = int((costs + np.square(sorted_ - end).sum(axis=1)).argmin())
    chosen = [place]
    for previous in reversed(before):
        place = int(previous[place])
        chosen.append(place)
    return [int(order[each]) for each in reversed(chosen)]
