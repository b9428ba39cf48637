"""How genres, shares and durations are shown."""

from __future__ import annotations

import math
from typing import Any

from django import template
from django.template import Context
from django.utils.formats import number_format

from classifier.models import Genre

register = template.Library()

_KEPT = "_genres_by_slug"


def genres_by_slug(context: Context) -> dict[str, Genre]:
    """Fetch the site's genres once per request, however many rows ask for one."""
    holder: Any = context.get("request") or context.render_context
    known: dict[str, Genre] | None
    if isinstance(holder, dict) or hasattr(holder, "dicts"):
        known = holder.get(_KEPT)
        if known is None:
            known = holder[_KEPT] = {genre.slug: genre for genre in Genre.objects.all()}
        return known
    known = getattr(holder, _KEPT, None)
    if known is None:
        known = {genre.slug: genre for genre in Genre.objects.all()}
        setattr(holder, _KEPT, known)
    return known


@register.simple_tag(takes_context=True)
def genre(context: Context, slug: str) -> Genre:
    """Find the genre of a label; one that the site no longer lists keeps its label as its name.

    In a template: ``{% genre analysis.genre as heard %}``, then ``heard.display_name`` and
    ``style="--genre: {{ heard.colour }}"``.
    """
    found = genres_by_slug(context).get(slug)
    return found or Genre(slug=slug, name=slug.capitalize(), colour="#8a8d96")


@register.filter
def percent(share: float) -> str:
    """Write a share of one as a whole percentage, with the narrow space that keeps it in one piece."""
    # Rounded down: "100 %" is for certainty, which no classifier has below exactly one.
    whole = math.floor(share * 100 + 0.5)
    return f"{number_format(min(whole, 99) if share < 1 else whole)}\u202f%"


@register.filter
def clock(seconds: float | None) -> str:
    """Write a duration as 0:07, 3:25 or 1:02:03; nothing where it is not known."""
    if seconds is None:
        return ""
    whole = int(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
