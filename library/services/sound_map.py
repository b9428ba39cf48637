"""The map of the catalogue: a layout that workers make, and the tracks on it that somebody may see.

The layout is made of tracks of the catalogue alone and kept; each track is placed on it by its own vector. So
what people keep to themselves is on their own map only, and moves nothing on anybody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Now
from numpy.typing import NDArray

from classifier import layouts
from classifier.core import layout
from classifier.core.layout import Layout
from classifier.core.lenses import SIZES, SOUND, VERSION
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.jobs import Claim, JobTable
from library.models import MapProjection, Track, TrackLens
from library.services import queue

MOST_POINTS: Final = 10_000
NO_GENRE: Final = -1
_GROWTH: Final = 5
"""A new layout is due when the catalogue has changed by one in so many tracks."""
_UNLISTED_COLOUR: Final = "#8a8d96"
_DIGITS: Final = 4

Status = MapProjection.Status
FloatArray = NDArray[np.float32]


class Point(NamedTuple):
    """A track on the map.

    Attributes
    ----------
    x, y
        From 0 to 1, from the left and from the bottom.
    genre
        Its place in `SoundMap.genres`, or `NO_GENRE`.
    """

    id: UUID
    x: float
    y: float
    genre: int
    title: str


@dataclass(frozen=True, slots=True)
class SoundMap:
    """The map as one person sees it.

    Attributes
    ----------
    ready
        Whether there is a layout; without one there are no points.
    points
        The newest tracks first, at most `MOST_POINTS`.
    left_out
        How many further tracks could be drawn.
    """

    ready: bool
    points: list[Point]
    genres: list[Genre]
    left_out: int


class MapJobs(JobTable[Claim[MapProjection]]):
    """Layouts, as jobs of the analysis workers."""

    model = MapProjection

    def send(self, row: MapProjection) -> bool:
        return queue.send_map(row.pk)

    def messages_waiting(self) -> int | None:
        return queue.waiting()


JOBS = MapJobs()
sweep = JOBS.sweep


def current() -> MapProjection | None:
    """Give the layout in use, if one was made for the lenses of this version."""
    done = MapProjection.objects.filter(lens=SOUND, version=VERSION, status=Status.DONE)
    return done.order_by("-pk").first()


def request() -> bool:
    """Queue a new layout; False where one is under way already."""
    try:
        with transaction.atomic():
            row = MapProjection.objects.create(lens=SOUND)
            transaction.on_commit(lambda: queue.send_map(row.pk), robust=True)
    except IntegrityError:
        return False
    return True


def is_due() -> bool:
    """Whether there is no layout of these lenses, or the catalogue has changed by a fifth since."""
    fitted = current()
    if fitted is None:
        return True
    public = _public().count()
    if max(public, fitted.public_tracks) < layout.FEWEST:
        return False
    return abs(public - fitted.public_tracks) * _GROWTH >= max(fitted.public_tracks, 1)


def keep_up() -> bool:
    """Queue a layout where one is due; False where it is not, or is under way."""
    return is_due() and request()


def fit(*, projection_id: int) -> bool:
    """Make one queued layout; False where there was nothing to do or the claim was lost."""
    return JOBS.process(projection_id, _fit)


def sound_map(*, viewer: User | AnonymousUser) -> SoundMap:
    """Place the tracks that `viewer` may see."""
    fitted = current()
    if fitted is None or fitted.layout is None:
        return SoundMap(ready=False, points=[], genres=[], left_out=0)
    drawable = Track.objects.visible_to(viewer).filter(lenses__lens=SOUND, lenses__version=VERSION)
    newest = drawable.order_by("-created", "id")
    # As text, all are read at once: pgvector would read each number by itself.
    shown = newest.annotate(vector_text=Cast("lenses__vector", TextField()))
    rows = list(shown.values_list("id", "title", "listed_genre", "vector_text")[:MOST_POINTS])
    places = Layout.from_json(fitted.layout).place(_read([row[3] for row in rows])).astype(float)
    genres = _genres({row[2] for row in rows})
    numbers = {genre.slug: number for number, genre in enumerate(genres)}
    points = [
        Point(pk, x, y, numbers.get(slug, NO_GENRE), title)
        for (pk, title, slug, _vector), (x, y) in zip(rows, places.round(_DIGITS).tolist(), strict=True)
    ]
    left_out = drawable.count() - len(points) if len(points) == MOST_POINTS else 0
    return SoundMap(ready=True, points=points, genres=genres, left_out=left_out)


def _fit(claim: Claim[MapProjection]) -> None:
    # Ids are random, so the first of them are a sample that is the same each time.
    rows = _public().order_by("track_id").values_list("vector", flat=True)[: layout.MOST]
    made = layouts.fit_apart(_array(list(rows)))
    with transaction.atomic():
        claim.must_update(
            status=Status.DONE,
            version=VERSION,
            public_tracks=_public().count(),
            layout=made.to_json(),
            finished_at=Now(),
        )
        former = MapProjection.objects.filter(lens=SOUND, pk__lt=claim.row.pk)
        former.filter(Q(status=Status.DONE) | Q(status=Status.FAILED)).delete()


def _public() -> QuerySet[TrackLens]:
    return TrackLens.objects.filter(lens=SOUND, version=VERSION, public=True)


def _genres(slugs: set[str]) -> list[Genre]:
    """Give the genres that are on the map, in the site's order; a label without a genre is its own name."""
    known = [genre for genre in Genre.objects.all() if genre.slug in slugs]
    unlisted = sorted(slugs - {genre.slug for genre in known} - {""})
    return known + [Genre(slug=slug, name=slug.capitalize(), colour=_UNLISTED_COLOUR) for slug in unlisted]


def _read(texts: list[str]) -> FloatArray:
    """Read vectors that are written like ``[0.25,-1]``."""
    numbers = np.fromstring(",".join(text[1:-1] for text in texts), np.float32, sep=",")
    return numbers.reshape(len(texts), SIZES[SOUND])


def _array(vectors: list[Any]) -> FloatArray:
    return np.asarray(vectors, np.float32).reshape(len(vectors), SIZES[SOUND])
