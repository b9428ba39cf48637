"""The tracks that are most similar to one, to several, or to a sound: one function for pages and programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

from classifier.core.lenses import DEFAULT, HARMONY
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import Track, TrackQuerySet
from library.services import lenses
from library.services.candidates import ANY, Candidate, Candidates, Conditions, Viewer
from library.services.lens_queries import COPY_WITHIN, LensQuery, same_recordings
from library.services.reasons import BY_DESCRIPTOR, reasons
from library.services.thumbs import NO_PREFERENCES, Preferences, ordered, preferences_of

MOST: Final = 50
SPARE: Final = 20
"""Fetched beyond what is asked for: the index answers nearly in order, and copies are left out."""
REACH: Final = 50
"""Of so many nearest by the blend the order is changed by what was learnt from thumbs."""

_COPY_WITHIN_BY_DESCRIPTOR: Final = 0.1
_QUERIES: Final = PreparedQueries()

Notice = Literal["", "moving", "not_analysed", "few"]


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
    search = _Search(Candidates(viewer, query, conditions), min(k, MOST), preferences_of(viewer, query))
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
    return _Search(Candidates(viewer, query, conditions), k).by_lens(lens)


def artist_of(name: str) -> str:
    """The artist as tracks are told apart by; empty where it is not known."""
    return name.strip().casefold()


Fetch = Callable[[int], tuple[list[Candidate], bool]]
"""Gives the nearest tracks, so many at most, and whether there are no more."""


@dataclass(frozen=True, slots=True)
class _Search:
    candidates: Candidates
    k: int
    preferences: Preferences = NO_PREFERENCES

    @property
    def query(self) -> LensQuery:
        return self.candidates.query

    def answer(self, lens: str, chosen: Sequence[Candidate], notice: Notice) -> Similar:
        compared = BY_DESCRIPTOR if notice == "moving" else lens
        by_pk = {track.pk: track for track in _shown(self.candidates.viewer, [each.pk for each in chosen])}
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
        return self._nearest(lambda most: self.candidates.fetch(lens, most), within=COPY_WITHIN[lens])

    def by_descriptor(self) -> list[Candidate]:
        """By the column that all analyses have, compared one by one."""
        if self.query.descriptor is None:
            return []
        return self._nearest(self.candidates.fetch_by_descriptor, within=_COPY_WITHIN_BY_DESCRIPTOR)

    def _nearest(self, fetch: Fetch, *, within: float) -> list[Candidate]:
        most = self.k + SPARE
        while True:
            candidates, exhausted = fetch(most)
            kept = self._kept(sorted(candidates, key=lambda each: each.distance), within)
            if exhausted or len(kept) >= self.k:
                return kept[: self.k]
            most *= 4

    def _kept(self, candidates: Sequence[Candidate], within: float) -> list[Candidate]:
        """Without copies, and of each artist the nearest only where that is asked for."""
        near = [each.analysis for each in candidates if each.between < within]
        copies = same_recordings(self.query, near)
        kept: list[Candidate] = []
        hashes: set[str] = set()
        artists: set[str] = set()
        for each in candidates:
            artist = artist_of(each.artist) if self.candidates.conditions.one_per_artist else ""
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
