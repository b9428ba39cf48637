"""Tracks for a playlist: like some and unlike others, for a mood, or a surprise within it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from classifier.core.lenses import BLEND, VERSION
from library.errors import PlaylistError
from library.models import Track, TrackLens, strength_column
from library.moods import tracks_for
from library.services.candidates import ANY, Conditions, Viewer
from library.services.lens_queries import query_of
from library.services.similar import artist_of, similar

MOST, DEFAULT_LENGTH = 50, 20
MOST_SEEDS: Final = 20
MOST_RANDOM_SEED: Final = 2**31 - 1
_SURPRISE_AMONG: Final = 300
"""The strongest tracks of a mood, among which a surprise is drawn."""
_UNKNOWN_DISTANCE: Final = 1.0
"""Between tracks of which one has no vector; one in four random pairs is nearer than 1.2."""
_SAME_ARTIST: Final = 0.25


def like(
    *,
    viewer: Viewer,
    seeds: Sequence[Track],
    unlike: Sequence[Track] = (),
    length: int = DEFAULT_LENGTH,
    by: str | None = None,
    conditions: Conditions = ANY,
) -> list[Track]:
    """Find tracks like `seeds` and unlike others, the nearest first; the seeds are not among them.

    Parameters
    ----------
    seeds
        At least one; all of them, and all of `unlike`, analysed.

    Raises
    ------
    PlaylistError
        Nothing can be compared of what the seeds have in common.
    """
    query = query_of(seeds, unlike)
    if not query.vectors and query.descriptor is None:
        raise PlaylistError("seeds_not_comparable")
    found = similar(viewer=viewer, query=query, by=by, k=length, conditions=conditions)
    return [near.track for near in found.neighbours]


def for_mood(*, viewer: Viewer, mood: str, length: int = DEFAULT_LENGTH) -> list[Track]:
    """The strongest tracks of a mood."""
    return list(tracks_for(mood, user=viewer)[:length])


def surprise(*, viewer: Viewer, mood: str, length: int = DEFAULT_LENGTH, seed: int = 0) -> list[Track]:
    """Draw tracks of a mood at random, stronger ones sooner, that differ from each other.

    The first is drawn by strength. Each further one is drawn by its strength times its squared distance from
    the nearest that was drawn before (as k-means++ draws its centres), and more rarely by an artist who is
    there already. The same seed draws the same as long as the viewer sees the same tracks.
    """
    columns = ("pk", "artist", "sha256", strength_column(mood))
    strongest = tracks_for(mood, user=viewer).values_list(*columns)[:_SURPRISE_AMONG]
    # One of each file: the viewer may have a copy of what is in the catalogue.
    rows = list({sha256: (pk, artist, strength) for pk, artist, sha256, strength in strongest}.values())
    pks = [pk for pk, _artist, _strength in rows]
    artists = np.array([artist_of(artist) for _pk, artist, _strength in rows])
    apart = _squared_distances(pks)
    weights = np.array([strength for _pk, _artist, strength in rows], np.float64)
    rng = np.random.default_rng(seed)
    nearest = np.full(len(rows), np.inf)
    drawn: list[int] = []
    while len(drawn) < min(length, len(rows)):
        # Tracks that are alike in all that is compared are still drawn when nothing else is left.
        chances = weights * (np.minimum(nearest, 4.0) + 1e-6)
        chances[drawn] = 0.0
        place = int(rng.choice(len(rows), p=chances / chances.sum()))
        drawn.append(place)
        nearest = np.minimum(nearest, apart[place])
        if artists[place]:
            weights = np.where(artists == artists[place], weights * _SAME_ARTIST, weights)
    found = (
        Track.objects.visible_to(viewer)
        .with_verdict()
        .select_related("labelled_genre", "current__model_version")
        .in_bulk([pks[place] for place in drawn])
    )
    return [found[pks[place]] for place in drawn if pks[place] in found]


def _squared_distances(tracks: Sequence[UUID]) -> NDArray[np.float64]:
    """Squared distances by the blend: (n, n)."""
    places = {track: place for place, track in enumerate(tracks)}
    rows = TrackLens.objects.filter(track__in=tracks, lens=BLEND, version=VERSION)
    found = rows.values_list("track", "vector")
    known = [(places[track], np.asarray(vector, np.float64)) for track, vector in found]
    squared = np.full((len(tracks), len(tracks)), _UNKNOWN_DISTANCE**2)
    if known:
        at = [place for place, _vector in known]
        vectors = np.stack([vector for _place, vector in known])
        squared[np.ix_(at, at)] = np.maximum(2 - 2 * vectors @ vectors.T, 0.0)
    np.fill_diagonal(squared, 0.0)
    return squared
