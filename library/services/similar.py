"""The tracks that are most similar to one, to several, or to a sound: one function for pages and programs.

What is in the catalogue and what the asker keeps to themselves are looked for apart. The catalogue has an
index of its own, in which nobody's private tracks lie, and the asker's own are compared one by one. So what
others keep to themselves changes neither the answer nor how long it takes, and never are there fewer
neighbours than exist.

A second engine may say which of the catalogue are near; PostgreSQL says which of these there are, who may see
them and how far they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, FloatField, Q, QuerySet, Value
from pgvector import HalfVector
from pgvector.django import L2Distance

from classifier.core.lenses import DEFAULT, HARMONY, SIZES, VERSION, corrected_distance
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import Track, TrackLens, TrackQuerySet
from library.models.lenses import vector_column
from library.services import lenses, vector_engine
from library.services.lens_queries import COPY_WITHIN, LensQuery, same_recordings
from library.services.reasons import BY_DESCRIPTOR, reasons
from library.services.thumbs import NO_PREFERENCES, Preferences, ordered, preferences_of

MOST: Final = 50
SPARE: Final = 20
"""Fetched beyond what is asked for: the index answers nearly in order, and copies are left out."""
MOST_BY_ENGINE: Final = 1_000
"""Where a search needs more, its conditions refuse nearly all, and PostgreSQL answers by itself."""
REACH: Final = 50
"""Of so many nearest by the blend the order is changed by what was learnt from thumbs."""

_COPY_WITHIN_BY_DESCRIPTOR: Final = 0.1
_SPARE_OF_ENGINE: Final = 10
_NOT_CORRECTED: Final = Value(None, output_field=FloatField())
_QUERIES: Final = PreparedQueries()

Notice = Literal["", "moving", "not_analysed", "few"]
Viewer = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A similar track, its rank, its distance (0 is identical, 2 is opposite), and why it is similar.

    `thumb` is the viewer's own on it as a neighbour of what was asked about: 1, -1, or 0 where there is none.
    """

    rank: int
    distance: float
    track: Track
    why: tuple[str, ...]
    thumb: int = 0


@dataclass(frozen=True, slots=True)
class Similar:
    """The neighbours, the nearest first.

    Attributes
    ----------
    lens
        By which they were found.
    notice
        Why that is not the lens that was asked for: ``moving`` while older analyses are moved over to the
        lenses, ``not_analysed`` where the track was analysed without what the lens needs, ``few`` where the
        default lens knows fewer tracks than were asked for and harmony more; else empty.
    personal
        Whether the viewer's thumbs have a part in the order.
    """

    lens: str
    neighbours: tuple[Neighbour, ...]
    notice: Notice = ""
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which tracks may be neighbours, besides that the asker may see them.

    Attributes
    ----------
    genre
        Only tracks with this label; all where empty.
    exclude_artist
        None by an artist of what is asked about.
    one_per_artist
        Of each artist the nearest only. Tracks without an artist are by different ones.
    """

    genre: str = ""
    exclude_artist: bool = False
    one_per_artist: bool = False


ANY: Final = Conditions()


def similar(
    *,
    viewer: Viewer,
    query: LensQuery,
    by: str | None = None,
    k: int = 3,
    conditions: Conditions = ANY,
) -> Similar:
    """Find the `k` tracks, `MOST` at most, that are nearest to `query` by a lens.

    Never what the query is made of or a copy of it, be it the same file, another encoding or another cut, and
    never what `viewer` may not see.

    Parameters
    ----------
    by
        One of `classifier.core.lenses.LENSES`; the blend where None. Harmony stands in where that lens knows
        nothing of the query, and for the blend by default also where it knows fewer tracks than harmony. By
        default what was learnt from the viewer's thumbs has a part in the order.
    """
    search = _Search(viewer, query, min(k, MOST), conditions, preferences_of(viewer, query))
    asked = by or DEFAULT
    if not lenses.is_complete():
        return search.answer(HARMONY, search.by_descriptor(), "moving")
    if asked not in query.vectors:
        return search.answer(HARMONY, search.by_lens(HARMONY), "not_analysed")
    personal = by is None and search.preferences.weights is not None
    found = replace(search, k=max(search.k, REACH)).by_lens(asked) if personal else search.by_lens(asked)
    if by is None and len(found) < search.k:
        more = search.by_lens(HARMONY)
        if len(more) > len(found):
            return search.answer(HARMONY, more, "few")
    if personal:
        found = ordered(found, query, search.preferences)[: search.k]
    return replace(search.answer(asked, found, ""), personal=personal)


def nearest(
    *, viewer: Viewer, query: LensQuery, lens: str, k: int, conditions: Conditions = ANY
) -> list[Candidate]:
    """Find the `k` tracks that are nearest to `query` by one lens, without reading more of them."""
    return _Search(viewer, query, k, conditions).by_lens(lens)


def artist_of(name: str) -> str:
    """The artist as tracks are told apart by; empty where it is not known."""
    return name.strip().casefold()


@dataclass(frozen=True, slots=True)
class Candidate:
    """The little of a track by which it is chosen; the rest is read of those that are.

    Attributes
    ----------
    between
        Distance of the vectors.
    isolation
        As in `TrackLens`; None where distances are not corrected.
    """

    pk: UUID
    between: float
    sha256: str
    artist: str
    analysis: int
    isolation: float | None = None

    @property
    def distance(self) -> float:
        """By which neighbours are ordered, and which is shown: 0 is identical, 2 is opposite."""
        if self.isolation is None:
            return self.between
        return corrected_distance(self.between, self.isolation)


Fetch = Callable[[int], tuple[list[Candidate], bool]]
"""Gives the nearest tracks, so many at most, and whether there are no more."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The catalogue or the viewer's own, as one lens sees it; of `among` tracks only, where that is not 0."""

    lens: str
    most: int
    public: bool
    by_index: bool = True
    among: int = 0


@dataclass(frozen=True, slots=True)
class _Search:
    viewer: Viewer
    query: LensQuery
    k: int
    conditions: Conditions
    preferences: Preferences = NO_PREFERENCES

    def answer(self, lens: str, chosen: Sequence[Candidate], notice: Notice) -> Similar:
        compared = BY_DESCRIPTOR if notice == "moving" else lens
        by_pk = {track.pk: track for track in _shown(self.viewer, [each.pk for each in chosen])}
        # One that was deleted or hidden in this moment is left out.
        near = [(by_pk[each.pk], each.distance) for each in chosen if each.pk in by_pk]
        found = [
            Neighbour(
                rank,
                distance,
                track,
                reasons(self.query, track, compared, distance),
                self.preferences.thumbs.get(track.pk, 0),
            )
            for rank, (track, distance) in enumerate(near, start=1)
        ]
        return Similar(lens, tuple(found), notice)

    def by_lens(self, lens: str) -> list[Candidate]:
        if lens not in self.query.vectors:
            return []
        return self._nearest(lambda most: self._fetch(lens, most), within=COPY_WITHIN[lens])

    def by_descriptor(self) -> list[Candidate]:
        """By the column that all analyses have, compared one by one."""
        if self.query.descriptor is None:
            return []
        return self._nearest(self._fetch_by_descriptor, within=_COPY_WITHIN_BY_DESCRIPTOR)

    def _nearest(self, fetch: Fetch, *, within: float) -> list[Candidate]:
        most = self.k + SPARE
        while True:
            candidates, exhausted = fetch(most)
            kept = self._kept(sorted(candidates, key=lambda each: each.distance), within)
            if exhausted or len(kept) >= self.k:
                return kept[: self.k]
            most *= 4

    def _fetch_by_descriptor(self, most: int) -> tuple[list[Candidate], bool]:
        tracks = self._allowed().filter(current__descriptor_version=self.query.descriptor_version)
        distance = L2Distance("current__descriptor", self.query.descriptor)
        found = [Candidate(*row) for row in _by_distance(tracks, distance, most)]
        return found, len(found) < most

    def _fetch(self, lens: str, most: int) -> tuple[list[Candidate], bool]:
        found = self._near_by_engine(lens, most) or self._near(_Part(lens, most, public=True))
        if len(found) < most:
            # The index gives up after some thousand rows that the conditions refuse.
            found = self._near(_Part(lens, most, public=True, by_index=False))
        exhausted = len(found) < most
        if self.viewer.is_authenticated:
            nearest = self._near(_Part(lens, most, public=False))
            exhausted = exhausted and len(nearest) < most
            found += nearest
        # The index answers nearly in order.
        return sorted(found, key=lambda each: each.between)[:most], exhausted

    def _near_by_engine(self, lens: str, most: int) -> list[Candidate]:
        """Give the nearest of the catalogue as the second engine finds them and PostgreSQL has them now.

        Nothing where there is no such engine, where it fails or knows of too few: then PostgreSQL finds them.
        """
        if self._has_conditions() or most > MOST_BY_ENGINE:
            return []
        # Beyond what is needed: what the query is made of, and tracks that were hidden a moment ago.
        count = most + len(self.query.tracks) + len(self.query.hashes) + _SPARE_OF_ENGINE
        keys = vector_engine.nearest(lens=lens, version=VERSION, vector=self.query.vectors[lens], count=count)
        if keys is None or len(keys) < most:
            return []
        found = self._near(_Part(lens, most, public=True, by_index=False, among=len(keys)), keys)
        return found if len(found) == most else []

    def _has_conditions(self) -> bool:
        return bool(self.conditions.genre) or self.conditions.exclude_artist

    def _near(self, part: _Part, among: Sequence[UUID] = ()) -> list[Candidate]:
        """Give the nearest of the catalogue or of what the viewer keeps to themselves."""
        if self._has_conditions():
            return [Candidate(*row) for row in self._query(part)]
        tracks, hashes = list(self.query.tracks), list(self.query.hashes)
        viewer = [self.viewer.pk] if self.viewer.is_authenticated else []
        vector = HalfVector(self.query.vectors[part.lens]).to_text()
        shape = (part, VERSION, len(viewer), len(tracks), len(hashes))
        values = [*viewer, *tracks, *hashes, *among, vector]
        rows = _QUERIES.rows(shape, values, like=lambda: self._like(part))
        return [Candidate(*row) for row in rows]

    def _like(self, part: _Part) -> tuple[QuerySet[Any, Any], list[Any]]:
        """Query the same for somebody else and as many other tracks, and give what is different."""
        vector = np.full(SIZES[part.lens], -2, np.float32)
        keys = [UUID(int=number) for number in range(len(self.query.tracks) + part.among)]
        tracks, among = frozenset(keys[part.among :]), keys[: part.among]
        hashes = frozenset(f"?{number}" for number in range(len(self.query.hashes)))
        viewer = User(pk=-1) if self.viewer.is_authenticated else self.viewer
        other = _Search(viewer, LensQuery({part.lens: vector}, tracks=tracks, hashes=hashes), 0, Conditions())
        viewers = [viewer.pk] if viewer.is_authenticated else []
        values = [*viewers, *tracks, *hashes, *among, HalfVector(vector).to_text()]
        return other._query(part, among), values

    def _query(self, part: _Part, among: Sequence[UUID] = ()) -> QuerySet[Any, Any]:
        distance = L2Distance(
            vector_column(part.lens, "lenses__vector"), HalfVector(self.query.vectors[part.lens])
        )
        if part.public:
            tracks = self._rows(part.lens, lenses__public=True, **({"pk__in": among} if among else {}))
        elif self._has_conditions():
            tracks = self._rows(part.lens, lenses__public=False, lenses__owner=self.viewer)
        else:
            tracks = self._allowed().filter(lenses__in=self._nearest_own(part))
        return _by_distance(
            tracks, distance, part.most, isolation=F("lenses__isolation"), by_index=part.by_index
        )

    def _nearest_own(self, part: _Part) -> QuerySet[Any, Any]:
        """Query the viewer's nearest rows, so that not all of their tracks are read for a few."""
        distance = L2Distance(vector_column(part.lens), HalfVector(self.query.vectors[part.lens]))
        own = TrackLens.objects.filter(owner=self.viewer.pk, public=False, lens=part.lens, version=VERSION)
        # A person has each file once, so that no more than these are left out afterwards.
        spare = len(self.query.tracks) + len(self.query.hashes)
        return own.order_by(distance).values("pk")[: part.most + spare]

    def _rows(self, lens: str, **rows: Any) -> TrackQuerySet:
        # One call of filter(): a second one would join the rows of the lenses once more.
        return self._allowed().filter(lenses__lens=lens, lenses__version=VERSION, **rows)

    def _allowed(self) -> TrackQuerySet:
        tracks = (
            Track.objects.visible_to(self.viewer)
            .filter(current__isnull=False)
            .exclude(pk__in=self.query.tracks)
            .exclude(sha256__in=self.query.hashes)
        )
        if slug := self.conditions.genre:
            predicted = Q(labelled_genre__isnull=True, current__genre=slug)
            tracks = tracks.filter(Q(labelled_genre__slug=slug) | predicted)
        artists = [Q(artist__iexact=name) for name in self.query.artists if name]
        if self.conditions.exclude_artist and artists:
            tracks = tracks.exclude(reduce(or_, artists))
        return tracks

    def _kept(self, candidates: Sequence[Candidate], within: float) -> list[Candidate]:
        """Without copies, and of each artist the nearest only where that is asked for."""
        near = [each.analysis for each in candidates if each.between < within]
        copies = same_recordings(self.query, near)
        kept: list[Candidate] = []
        hashes: set[str] = set()
        artists: set[str] = set()
        for each in candidates:
            artist = artist_of(each.artist) if self.conditions.one_per_artist else ""
            if each.analysis in copies or each.sha256 in hashes or artist in artists:
                continue
            kept.append(each)
            hashes.add(each.sha256)
            artists.update({artist} - {""})
        return kept


def _shown(viewer: Viewer, keys: Sequence[UUID]) -> list[Track]:
    """Read those of some tracks that a person may see, with what is shown of them, in no order."""
    if not keys:
        return []
    viewers = [viewer.pk] if viewer.is_authenticated else []

    def like() -> tuple[TrackQuerySet, list[Any]]:
        other = User(pk=-1) if viewer.is_authenticated else viewer
        others = [UUID(int=number) for number in range(len(keys))]
        tracks = Track.objects.with_verdict().select_related("labelled_genre", "current__model_version")
        found = tracks.visible_to(other).filter(pk__in=others).order_by()
        return found, [*([other.pk] if viewers else []), *others]

    return _QUERIES.instances((_shown, len(viewers), len(keys)), [*viewers, *keys], like=like)


def _by_distance(
    tracks: TrackQuerySet,
    distance: L2Distance,
    most: int,
    *,
    isolation: F | Value = _NOT_CORRECTED,
    by_index: bool = True,
) -> QuerySet[Any, Any]:
    """Query what a `Candidate` holds, the nearest first."""
    measured = tracks.annotate(distance=distance, isolation=isolation)
    # An index answers an order by the distance itself, not by a sum.
    ordered = measured.order_by("distance" if by_index else F("distance") + 0.0)
    return ordered.values_list("pk", "distance", "sha256", "artist", "current_id", "isolation")[:most]
