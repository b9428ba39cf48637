"""How genres, verdicts, shares, durations and moments are shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.template import Context
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from classifier.models import Genre
from genreweb.storage import download_url
from library.errors import sentence
from library.models import Analysis, Track

register = template.Library()

_KEPT = "genres_by_slug"
_UNLISTED_COLOUR = "#8a8d96"


def genres_by_slug(context: Context) -> dict[str, Genre]:
    """Fetch the site's genres once per page, however many rows ask for one."""
    # The request outlives the copies of the context that `include` makes.
    keeper: Any = context.get("request")
    known: dict[str, Genre] | None = getattr(keeper, _KEPT, None)
    if known is None:
        known = {genre.slug: genre for genre in Genre.objects.all()}
        if keeper is not None:
            setattr(keeper, _KEPT, known)
    return known


def _genre(context: Context, slug: str) -> Genre:
    found = genres_by_slug(context).get(slug)
    return found or Genre(slug=slug, name=slug.capitalize(), colour=_UNLISTED_COLOUR)


@register.simple_tag(takes_context=True)
def genre(context: Context, slug: str) -> Genre:
    """Find the genre of a label; one that the site no longer lists keeps its label as its name.

    In a template: ``{% genre analysis.genre as heard %}``, then ``heard.display_name`` and
    ``style="--genre: {{ heard.colour }}"``.
    """
    return _genre(context, slug)


@register.simple_tag(takes_context=True)
def likely_genres(context: Context, analysis: Analysis) -> list[Genre]:
    """Give the two or three genres that share most of the probability, the likeliest first."""
    return [_genre(context, slug) for slug, _share in analysis.likely]


@register.simple_tag(takes_context=True)
def unsure_between(context: Context, analysis: Analysis) -> str:
    """Name the two or three genres that an unsure verdict lies between, as part of a sentence."""
    names = [_genre(context, slug).display_name.lower() for slug, _share in analysis.likely]
    if len(names) == 3:
        return _("{first}, {second} or {third}").format(first=names[0], second=names[1], third=names[2])
    return _("{first} or {second}").format(first=names[0], second=names[1]) if len(names) == 2 else names[0]


@register.filter
def failure(track: Track) -> str:
    """Say why the analysis of a track failed, and what to do now."""
    return sentence(track.error_code, track.error_params)


@register.filter
def percent(share: float) -> str:
    """Write a share of one as a whole percentage; "100 %" is kept for certainty, which no classifier has."""
    whole = int(share * 100 + 0.5)
    return f"{number_format(min(whole, 99) if share < 1 else whole)}\u202f%"


@register.filter
def clock(seconds: float | None) -> str:
    """Write a duration as 0:07, 3:25 or 1:02:03; nothing where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


@register.filter
def moment(value: datetime) -> str:
    """Say when: "3 minutes ago" for today's, the date for what is older."""
    if timedelta(0) <= timezone.now() - value < timedelta(hours=20):
        return str(naturaltime(value))
    return date_format(timezone.localtime(value), "DATE_FORMAT")


@register.simple_tag
def kept_as(stored: str, filename: str) -> str:
    """A link to a stored file that a browser keeps under another name."""
    return download_url(stored, filename)
