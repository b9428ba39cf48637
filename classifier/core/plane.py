"""A plane through vectors of a lens, on which tracks are drawn as the points of a map.

The plane is linear and kept, so that any further vector can be placed on it without moving the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FEWEST: Final = 10
"""With fewer vectors than this a fitted plane would follow each of them; the first two axes are taken."""
_KNOTS: Final = 65
_MARGIN: Final = 0.1
"""How far beyond the range of the fitted vectors a place may lie, as a share of the range."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """An affine plane with a monotone scale on each axis.

    Attributes
    ----------
    mean
        (n,).
    directions
        (2, n) orthonormal rows.
    knots
        (2, n_knots) quantiles of the fitted coordinates on each axis, at equal steps from 0 to 1.
    """

    mean: FloatArray
    directions: FloatArray
    knots: FloatArray

    def place(self, vectors: FloatArray) -> FloatArray:
        """Place vectors (n_rows, n) on the map: (n_rows, 2) from 0 to 1.

        Each axis is halfway between the coordinate and its rank among the fitted vectors: a dense middle is
        spread, and gaps between groups still show.
        """
        along = (vectors - self.mean) @ self.directions.T
        steps = np.linspace(0.0, 1.0, self.knots.shape[1])
        placed = np.empty_like(along)
        for axis, knots in enumerate(self.knots):
            low, high = float(knots[0]), float(knots[-1])
            linear = (along[:, axis] - low) / ((high - low) or 1.0)
            placed[:, axis] = 0.5 * linear + 0.5 * np.interp(along[:, axis], knots, steps)
        inside = np.clip(placed, -_MARGIN, 1.0 + _MARGIN)
        return np.asarray((inside + _MARGIN) / (1.0 + 2 * _MARGIN), np.float32)

    def to_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return {
            name: np.round(getattr(self, name).astype(float), 6).tolist()
            for name in ("mean", "directions", "knots")
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(*(np.asarray(stored[name], np.float32) for name in ("mean", "directions", "knots")))


def fit(vectors: FloatArray) -> Plane:
    """Fit the plane of the first two principal components.

    Parameters
    ----------
    vectors
        (n_rows, n) with n of at least 2.

    Notes
    -----
    The larger part of each direction is positive, so that the same vectors always give the same map.
    """
    size = vectors.shape[1]
    if len(vectors) < FEWEST:
        scale = np.linspace(-1.0, 1.0, _KNOTS)
        return Plane(np.zeros(size, np.float32), np.eye(2, size, dtype=np.float32), np.stack([scale, scale]))
    mean = vectors.mean(axis=0)
    centred = (vectors - mean).astype(np.float64)
    _variances, axes = np.linalg.eigh(centred.T @ centred)
    directions = axes[:, ::-1][:, :2].T
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[[0, 1], largest])[:, None]
    knots = np.quantile(centred @ directions.T, np.linspace(0.0, 1.0, _KNOTS), axis=0).T
    return Plane(*(np.asarray(part, np.float32) for part in (mean, directions, knots)))
