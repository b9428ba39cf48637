"""What a row of a list shows of a track, as a value: rows of equal values are drawn once and kept.

Drawing a row with Django's templates takes a millisecond, which is most of what a list of thirty costs. A row
is drawn from nothing but its value, the genres, the language and what the tag names, and all of these are its
key; so whatever changes what a row shows changes its key too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest
from django.template import Context
from django.template.loader import get_template
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from classifier.models import Genre
from library.models import Analysis, Track
from library.templatetags import sound

_MOST_KEPT: Final = 2_000
"""Rows that a process keeps, of some five kilobytes each."""

_KEPT: Final = "genre_values"


class GenreValue(NamedTuple):
    """A genre as rows show it."""

    slug: str
    display_name: str
    colour: str

    def __str__(self) -> str:
        return self.display_name

    @classmethod
    def of(cls, genre: Genre) -> Self:
        return cls(genre.slug, genre.display_name, genre.colour)


class FileValue(NamedTuple):
    """A stored file as rows show it."""

    url: str

    @classmethod
    def of(cls, file: FieldFile) -> Self | None:
        return cls(str(file.url)) if file else None


@dataclass(frozen=True, slots=True)
class VerdictValue:
    """An analysis as rows show it, with the names that `Analysis` has for the same."""

    genre: str
    confidence: float
    unsure: bool
    style: str
    known_genres: int
    likely: tuple[tuple[str, float], ...]

    @property
    def music(self) -> bool:
        return bool(self.genre)

    @classmethod
    def of(cls, analysis: Analysis) -> Self:
        return cls(
            genre=analysis.genre,
            confidence=analysis.confidence,
            unsure=analysis.unsure,
            style=analysis.style,
            known_genres=analysis.known_genres,
            likely=tuple(analysis.likely) if analysis.unsure else (),
        )


@dataclass(frozen=True, slots=True)
class TrackValue:
    """A track as rows show it, with the names that `Track` has for the same.

    Attributes
    ----------
    when
        When it came, as people say it.
    failure
        Why its analysis failed; empty where it did not.
    is_stale
        Whether another classifier than its verdict's is in service.
    """

    pk: UUID
    title: str
    artist: str
    album: str
    year: int | None
    licence: str
    duration: float | None
    created: datetime
    when: str
    source: str
    is_in_catalogue: bool
    status: str
    step: str
    get_step_display: str
    is_finished: bool
    failure: str
    player_url: str
    cover: FileValue | None
    labelled_genre: GenreValue | None
    current_id: int | None
    current: VerdictValue | None
    is_stale: bool

    @classmethod
    def of(cls, track: Track, genres: Mapping[int, GenreValue]) -> Self:
        """Read a row of `Track.objects.for_rows`; `genres` are all of the site by id."""
        analysis = track.current
        return cls(
            pk=track.pk,
            title=track.title,
            artist=track.artist,
            album=track.album,
            year=track.year,
            licence=track.licence,
            duration=track.duration,
            created=track.created,
            when=sound.moment(track.created),
            source=track.source,
            is_in_catalogue=track.is_in_catalogue,
            status=track.status,
            step=track.step,
            get_step_display=track.get_step_display() if track.step else "",
            is_finished=track.is_finished,
            failure=str(sound.failure(track)) if track.status == Track.Status.FAILED else "",
            player_url=track.player_url,
            cover=FileValue.of(track.cover),
            labelled_genre=genres.get(track.labelled_genre_id or 0),
            current_id=track.current_id,
            current=None if analysis is None else VerdictValue.of(analysis),
            is_stale=analysis is not None and not analysis.model_version.is_in_service,
        )


def drawn(
    template: str, track: Track, request: HttpRequest | None, *, with_genres: bool = True, **more: Any
) -> SafeString:
    """Draw a row.

    Parameters
    ----------
    template
        Sees `track`, a `TrackValue`, and `more`: neither the request nor what the page's context holds.
    with_genres
        Whether it shows genres.
    more
        Values that can be hashed.
    """
    genres = _genres(request) if with_genres else {}
    draw = _draw.__wrapped__ if settings.DEBUG else _draw
    value = TrackValue.of(track, genres)
    return draw(template, get_language(), tuple(genres.values()), value, tuple(more.items()))


def _genres(request: HttpRequest | None) -> dict[int, GenreValue]:
    """Give the site's genres by id, read once per request."""
    known: dict[int, GenreValue] | None = getattr(request, _KEPT, None)
    if known is None:
        all_genres = sound.genres_by_slug(Context({"request": request})).values()
        known = {genre.pk: GenreValue.of(genre) for genre in all_genres}
        if request is not None:
            setattr(request, _KEPT, known)
    return known


@lru_cache(maxsize=_MOST_KEPT)
def _draw(
    template: str,
    _language: str | None,
    genres: Iterable[GenreValue],
    track: TrackValue,
    more: tuple[tuple[str, Any], ...],
) -> SafeString:
    known = {genre.slug: genre for genre in genres}
    context = {**dict(more), "track": track, sound.KNOWN_GENRES: known}
    return SafeString(get_template(template).render(context))
