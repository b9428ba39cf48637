"""Template tags for genres, verdicts, shares, durations and times."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from classifier import key_words as words_of_keys
from classifier.core.keys import parsed
from classifier.models import Genre
from genreweb.filled_parts import filled
from genreweb.prepared_queries import PreparedQueries
from genreweb.storage import download_url
from library.errors import sentence
from library.models import Analysis, Track

if TYPE_CHECKING:
    from library.views.verdict import Bar

register = template.Library()

KNOWN_GENRES = "known_genres"
"""Variable of a context that holds the genres already."""
_QUERIES: Final = PreparedQueries()
_KEPT = "genres_by_slug"
_UNLISTED_COLOUR = "#8a8d96"


def genres_by_slug(context: Context) -> dict[str, Genre]:
    """Fetch the site's genres once per page."""
    if (given := context.get(KNOWN_GENRES)) is not None:
        return cast("dict[str, Genre]", given)
    # Cached on the request, because `include` copies the context.
    keeper: Any = context.get("request")
    known: dict[str, Genre] | None = getattr(keeper, _KEPT, None)
    if known is None:
        all_genres = _QUERIES.instances("genres", [], like=lambda: (Genre.objects.all(), []))
        known = {genre.slug: genre for genre in all_genres}
        if keeper is not None:
            setattr(keeper, _KEPT, known)
    return known


def _genre(context: Context, slug: str) -> Genre:
    found = genres_by_slug(context).get(slug)
    return found or Genre(slug=slug, name=slug.capitalize(), colour=_UNLISTED_COLOUR)


@register.simple_tag(takes_context=True)
def genre(context: Context, slug: str) -> Genre:
    """Return the genre of a label; a label without a genre is its own name.

    In a template: ``{% genre analysis.genre as predicted %}``, then ``predicted.display_name`` and
    ``data-style="--genre: {{ predicted.colour }}"``.
    """
    return _genre(context, slug)


@register.simple_tag(takes_context=True)
def likely_genres(context: Context, analysis: Analysis) -> list[Genre]:
    """Return the two or three most probable genres, the most probable first."""
    return [_genre(context, slug) for slug, _share in analysis.likely]


@register.simple_tag(takes_context=True)
def unsure_between(context: Context, analysis: Analysis) -> str:
    """List the two or three genres of an unsure verdict, as part of a sentence."""
    names = [_genre(context, slug).display_name.lower() for slug, _share in analysis.likely]
    if len(names) == 3:
        return _("{first}, {second} or {third}").format(first=names[0], second=names[1], third=names[2])
    return _("{first} or {second}").format(first=names[0], second=names[1]) if len(names) == 2 else names[0]


@register.simple_tag
def bar_row(bar: Bar, *, is_top: bool = False) -> SafeString:
    """Draw the row of a genre in the table of probabilities."""
    genre = bar.genre
    slots = {
        "colour": genre.colour,
        "slug": genre.slug,
        "slug_in_address": quote(genre.slug),
        "name": genre.display_name,
        "share": f"{bar.share:.4f}",
        "percent": bar.percent,
    }
    return filled("library/track/bar.html", slots, {"is_top": is_top})


@register.filter
def failure(track: Track) -> str:
    """Say why the analysis of a track failed, and what to do next."""
    return sentence(track.error_code, track.error_params)


@register.filter
def percent(share: float) -> str:
    """Format a share from 0 to 1 as a whole percentage; "100 %" only for exactly 1."""
    return f"{number_format(whole_percent(share))}\u202f%"


def whole_percent(share: float) -> int:
    """Round a share from 0 to 1 to a whole percentage; 100 only for exactly 1."""
    whole = int(share * 100 + 0.5)
    return min(whole, 99) if share < 1 else whole


@register.filter
def clock(seconds: float | None) -> str:
    """Format a duration as 0:07, 3:25 or 1:02:03; empty if unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


@register.filter
def moment(value: datetime) -> str:
    """Format a time: "3 minutes ago" if it is today, else the date."""
    passed = timezone.now() - value
    if timedelta(0) <= passed < timedelta(hours=20):
        return ago(passed)
    return _day(timezone.localdate(value), get_language())


def ago(passed: timedelta) -> str:
    """Say how long ago something was, less than a day, in the words with which js/ago.js counts on."""
    seconds = int(passed.total_seconds())
    if seconds < 1:
        return _("just now")
    if seconds < 60:
        return ngettext("%(count)s second ago", "%(count)s seconds ago", seconds) % {"count": seconds}
    if (minutes := seconds // 60) < 60:
        return ngettext("%(count)s minute ago", "%(count)s minutes ago", minutes) % {"count": minutes}
    hours = minutes // 60
    return ngettext("%(count)s hour ago", "%(count)s hours ago", hours) % {"count": hours}


@lru_cache(maxsize=4_000)
def _day(day: date, _language: str | None) -> str:
    return date_format(day, "DATE_FORMAT")


@register.simple_tag
def agrees(track: Track) -> bool:
    """Whether the genre that a track is labelled with is also the one that was heard for sure."""
    label, analysis = track.labelled_genre, track.current
    return label is not None and analysis is not None and not analysis.unsure and analysis.genre == label.slug


@register.simple_tag
def kept_as(stored: str, filename: str) -> str:
    """Make a link to a stored file that a browser saves under another name."""
    return download_url(stored, filename)


@register.filter
def key_words(name: str) -> str:
    """Write a stored key, such as ``Eb minor``, in the reader's language."""
    key = parsed(name)
    return words_of_keys.named(key) if key else ""
