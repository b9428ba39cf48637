"""How good neighbours are, from distances between tracks: rank of what is known to match, precision, hubs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hubs:
    """How evenly recommendations are spread over the tracks (Radovanović et al., JMLR 2010).

    Attributes
    ----------
    never
        Share of the tracks that are among the nearest of no other.
    most
        Times that the track which is recommended most often is recommended.
    """

    never: float
    most: int


def distances(queries: Float64, tracks: Float64) -> Float64:
    """Euclidean distances: (n_queries, n_tracks) of (n_queries, n) and (n_tracks, n)."""
    squared = np.square(queries).sum(axis=1)[:, None] + np.square(tracks).sum(axis=1)[None]
    return np.asarray(np.sqrt(np.maximum(squared - 2 * queries @ tracks.T, 0.0)), np.float64)


def ranks(between: Float64, expected: Sequence[int]) -> NDArray[np.intp]:
    """The place, from 1 on, of the expected track among all, for each query.

    Parameters
    ----------
    between
        (n_queries, n_tracks) distances. Tracks as near as the expected one count as behind it.
    expected
        (n_queries,) columns.
    """
    own = between[np.arange(len(between)), list(expected)]
    return np.asarray((between < own[:, None]).sum(axis=1) + 1, np.intp)


def nearest(between: Float64, groups: Sequence[object], k: int) -> NDArray[np.intp]:
    """The `k` nearest tracks of other groups for each track.

    Parameters
    ----------
    between
        (n, n) distances.
    groups
        (n,) such as artists; a track is never among its own nearest.
    """
    _names, numbers = np.unique([str(group) for group in groups], return_inverse=True)
    others = np.where(numbers[:, None] == numbers[None, :], np.inf, between)
    return np.argsort(others, axis=1, kind="stable")[:, :k]


def precision(found: NDArray[np.intp], labels: Sequence[str]) -> Float64:
    """Share of each track's neighbours that have its label: (n,) of (n, k) neighbours and (n,) labels."""
    names = np.asarray(labels)
    return np.asarray((names[found] == names[:, None]).mean(axis=1), np.float64)


def hubs(found: NDArray[np.intp], n_tracks: int) -> Hubs:
    """Count how often each of `n_tracks` tracks is among the neighbours of others."""
    counts = np.bincount(found.ravel(), minlength=n_tracks)
    return Hubs(never=float((counts == 0).mean()), most=int(counts.max()))
