"""What may be similar: the tracks that are nearest to a query by one lens.

What is in the catalogue and what the asker keeps to themselves are looked for apart. The catalogue has an
index of its own, in which nobody's private tracks lie, and the asker's own are compared one by one. So what
others keep to themselves changes neither the answer nor how long it takes, and never are there fewer
neighbours than exist.

A second engine may say which of the catalogue are near; PostgreSQL says which of these there are, who may see
them and how far they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, FloatField, Q, QuerySet, Value
from pgvector import HalfVector
from pgvector.django import L2Distance

from classifier.core.lenses import SIZES, VERSION, corrected_distance
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import Track, TrackLens, TrackQuerySet
from library.models.lenses import vector_column
from library.services import vector_engine
from library.services.lens_queries import LensQuery

MOST_BY_ENGINE: Final = 1_000
"""Where a search needs more, its conditions refuse nearly all, and PostgreSQL answers by itself."""

_SPARE_OF_ENGINE: Final = 10
_NOT_CORRECTED: Final = Value(None, output_field=FloatField())
_QUERIES: Final = PreparedQueries()

Viewer = User | AnonymousUser


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


@dataclass(frozen=True, slots=True)
class _Part:
    """The catalogue or the viewer's own, as one lens sees it; of `among` tracks only, where that is not 0."""

    lens: str
    most: int
    public: bool
    by_index: bool = True
    among: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be similar to a query, for one asker under some conditions."""

    viewer: Viewer
    query: LensQuery
    conditions: Conditions = ANY

    def fetch_by_descriptor(self, most: int) -> tuple[list[Candidate], bool]:
        tracks = self._allowed().filter(current__descriptor_version=self.query.descriptor_version)
        distance = L2Distance("current__descriptor", self.query.descriptor)
        found = [Candidate(*row) for row in _by_distance(tracks, distance, most)]
        return found, len(found) < most

    def fetch(self, lens: str, most: int) -> tuple[list[Candidate], bool]:
        """Give the nearest by a lens, so many at most, and whether there are no more."""
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
        other = Candidates(viewer, LensQuery({part.lens: vector}, tracks=tracks, hashes=hashes))
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
