"""What a row of a list shows of a track, as values: rows of the same form are drawn once and filled in.

Drawing a row with Django's templates takes a millisecond, which is most of what a list of thirty costs. What
a row's template decides by is the form of the row; the texts that it only shows are filled in. A verdict is
drawn by itself, and kept by all that it shows. A row is drawn from nothing else but the language and what the
tag names, so whatever changes what it shows changes its form or its texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from django.conf import settings
from django.http import HttpRequest
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from classifier.models import Genre
from genreweb.filled_parts import filled
from library.models import Analysis, Track
from library.templatetags import sound

_MOST_KEPT: Final = 4_000
"""Verdicts and times that a process keeps, of some hundred bytes each."""

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


@dataclass(frozen=True, slots=True)
class VerdictValue:
    """An analysis as chips show it, with the names that `Analysis` has for the same.

    The confidence is one of a hundred, and the likely genres are without their shares.
    """

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
            confidence=sound.whole_percent(analysis.confidence) / 100,
            unsure=analysis.unsure,
            style=analysis.style,
            known_genres=analysis.known_genres,
            likely=tuple((slug, 0.0) for slug, _share in analysis.likely) if analysis.unsure else (),
        )


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The label and the verdict of a track, with the names that `Track` has for the same."""

    labelled_genre: GenreValue | None
    current: VerdictValue | None

    @classmethod
    def of(cls, track: Track, genres: Mapping[int, GenreValue]) -> Self:
        """Read a row of `Track.objects.for_rows`; `genres` are all of the site by id."""
        analysis = track.current
        return cls(
            labelled_genre=genres.get(track.labelled_genre_id or 0),
            current=None if analysis is None else VerdictValue.of(analysis),
        )


def drawn(
    template: str,
    track: Track,
    request: HttpRequest | None,
    *,
    with_genres: bool = True,
    slots: Mapping[str, str] | None = None,
    **more: Any,
) -> SafeString:
    """Draw a row.

    Parameters
    ----------
    template
        Sees of `track` what `_form_of` and `_texts_of` name, as attributes of ``track``, `slots` and `more`:
        neither the request nor what the page's context holds. Texts are empty or there; it shows them as they
        are.
    with_genres
        Whether it shows genres.
    slots
        More texts that it shows as they are.
    more
        Values that can be hashed, by which it decides.
    """
    language = get_language()
    texts = _texts_of(track, language)
    if with_genres:
        texts |= _chips_of(track, _genres(request), language)
    form = _form_of(track)
    form.update((name, "") for name, text in texts.items() if not text)
    given = {name: text for name, text in texts.items() if text}
    if slots:
        given.update(slots)
    return filled(template, given, {**form, **more}, language=language)


def _form_of(track: Track) -> dict[str, Any]:
    """Give what a row's template decides by, besides whether texts are there."""
    analysis = track.current
    return {
        "track.current": analysis is not None,
        "track.get_step_display": track.get_step_display() if track.step else "",
        "track.is_finished": track.is_finished,
        "track.is_in_catalogue": track.is_in_catalogue,
        # Whether another classifier than its verdict's is in service.
        "track.is_stale": analysis is not None and not analysis.model_version.is_in_service,
        "track.source": track.source,
        "track.status": track.status,
        "track.step": track.step,
        "bin_days": settings.BIN_DAYS,
    }


def _texts_of(track: Track, language: str | None) -> dict[str, Any]:
    """Give what a row shows as it is; empty where there is nothing to show."""
    created = timezone.localtime(track.created)
    return {
        "track.pk": track.pk,
        "track.title": track.title,
        "track.artist": track.artist,
        "track.album": track.album,
        "track.year": str(track.year or ""),
        "track.licence": track.licence,
        "track.duration": str(track.duration or ""),
        "track.clock": sound.clock(track.duration) if track.duration else "",
        # When it came, for programs, in full, and as people say it.
        "track.created_iso": created.isoformat(),
        "track.created_text": _time(created.replace(microsecond=0, tzinfo=None), language),
        "track.when": sound.moment(track.created),
        # Why its analysis failed.
        "track.failure": str(sound.failure(track)) if track.status == Track.Status.FAILED else "",
        "track.player_url": track.player_url,
        **({"track.cover.url": str(track.cover.url)} if track.cover else {"track.cover": ""}),
        "track.current_id": str(track.current_id or ""),
    }


def _chips_of(track: Track, genres: Mapping[int, GenreValue], language: str | None) -> dict[str, SafeString]:
    draw = _draw.__wrapped__ if settings.DEBUG else _draw
    verdict, both = draw(language, tuple(genres.values()), Verdicts.of(track, genres))
    return {"track.verdict_chip": verdict, "track.genre_chips": both}


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
    _language: str | None, genres: Iterable[GenreValue], verdicts: Verdicts
) -> tuple[SafeString, SafeString]:
    """Draw the verdict alone, and with the label."""
    known = {genre.slug: genre for genre in genres}
    context = {"track": verdicts, "analysis": verdicts.current, sound.KNOWN_GENRES: known}
    templates = ("includes/verdict_chip.html", "includes/genre_of_track.html")
    verdict, both = (SafeString(get_template(name).render(context)) for name in templates)
    return verdict, both


@lru_cache(maxsize=_MOST_KEPT)
def _time(moment: datetime, _language: str | None) -> str:
    """Write a moment that has no zone any more: the same one in two zones would be taken for one."""
    return date_format(moment, "DATETIME_FORMAT")
