"""What thumbs gain: neighbours ordered by what was learnt from simulated ones, on clips that had none.

People are simulated who like a neighbour if it shares the genre of what they asked about, or if it is by the
same artist. They give thumbs to neighbours of clips by one half of the artists; what was learnt is measured
on neighbours of clips by the other half. Artists are drawn anew for each person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import lens_weights
from classifier.core.lenses import DEFAULT, LENSES
from classifier.fitting.evaluation.outside.figures import share

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

COUNTS: Final = (0, 1, 3, 10, 30, 100)
"""Numbers of thumbs that are given."""
PEOPLE: Final = 20
SHOWN: Final = 10
"""Thumbs are given to some of so many nearest by the blend."""
REACH: Final = 50
"""As `library.services.similar.REACH`: of so many nearest the order is changed."""
_K: Final = 3


def gains(vectors: Mapping[str, Float64], genres: Sequence[str], artists: Sequence[object]) -> dict[str, Any]:
    """P@3 after so many thumbs, by the preference that is simulated.

    Parameters
    ----------
    vectors
        (n_clips, size) unit vectors by lens, of every lens.
    genres, artists
        (n_clips,)

    Returns
    -------
    By preference, ``genre`` or ``artist``, and number of thumbs: the share of the three nearest that the
    person likes, with its 95 % interval over artists, and by how much it is larger than without thumbs.
    """
    squared = np.stack([_squared(vectors[lens]) for lens in LENSES], axis=2)
    names = np.array([str(artist) for artist in artists])
    same_artist = names[:, None] == names[None]
    same_genre = np.array(genres)[:, None] == np.array(genres)[None]
    itself = np.eye(len(names), dtype=bool)
    # By genre only other artists are recommended, as in the figures of the lenses.
    preferences = {"genre": (same_genre, same_artist), "artist": (same_artist, itself)}
    found = {}
    for preference, (liked, left_out) in preferences.items():
        counts = [(liked & ~left_out).sum(axis=1) >= _K]
        people = [_person(squared, liked, left_out, _drawn(names, seed), seed=seed) for seed in range(PEOPLE)]
        found[preference] = _figures(people, names, counts[0])
    return found


def _figures(
    people: Sequence[tuple[Bools, Mapping[int, Float64]]], artists: NDArray[np.str_], can_be_right: Bools
) -> dict[str, Any]:
    asked = np.concatenate([askers & can_be_right for askers, _shares in people])
    groups = list(np.tile(artists, len(people)))
    columns = {n: np.concatenate([shares[n] for _askers, shares in people]) for n in COUNTS}
    figures = {}
    for n, column in columns.items():
        figures[str(n)] = {
            "precision": share(column, groups, among=asked),
            "gain": float((column - columns[0])[asked].mean()) if asked.any() else 0.0,
        }
    return figures


def _person(
    squared: Float64, liked: Bools, left_out: Bools, givers: Bools, *, seed: int
) -> tuple[Bools, dict[int, Float64]]:
    """Who asks, and the share of each clip's three nearest that is liked, by number of thumbs."""
    rng = np.random.default_rng([seed, 17])
    nearest = np.argsort(
        np.where(left_out, np.inf, squared[:, :, LENSES.index(DEFAULT)]), axis=1, kind="stable"
    )
    pairs = [(query, near) for query in np.flatnonzero(givers) for near in nearest[query, :SHOWN]]
    thumbs = [pairs[place] for place in rng.permutation(len(pairs))[: max(COUNTS)]]
    shares = {}
    for n in COUNTS:
        given = thumbs[:n]
        at = np.array([squared[pair] for pair in given]).reshape(len(given), len(LENSES))
        weights = lens_weights.fit(at, [bool(liked[pair]) for pair in given])
        shares[n] = np.array(
            [
                _share(squared[query], liked[query], near[:REACH], weights)
                for query, near in enumerate(nearest)
            ]
        )
    return ~givers, shares


def _share(squared: Float64, liked: Bools, near: NDArray[np.intp], weights: Float64) -> float:
    order = np.argsort(lens_weights.scores(squared[near], weights), kind="stable")
    return float(liked[near[order[:_K]]].mean())


def _drawn(artists: NDArray[np.str_], seed: int) -> Bools:
    """Clips by one half of the artists."""
    names = np.unique(artists)
    half = np.random.default_rng([seed, 5]).permutation(names)[: len(names) // 2]
    return np.isin(artists, half)


def _squared(vectors: Float64) -> Float64:
    return np.asarray(np.maximum(2 - 2 * vectors @ vectors.T, 0.0), np.float64)
