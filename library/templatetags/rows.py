"""The tags that draw rows of lists."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import template
from django.template import Context
from django.template.defaultfilters import floatformat
from django.utils.safestring import SafeString

from genreweb.filled_parts import filled
from library.models import Track
from library.services.similar import Neighbour
from library.templatetags.sound import percent
from library.views.row_values import drawn

register = template.Library()


@register.simple_tag(takes_context=True)
def row(context: Context, name: str, track: Track, **more: Any) -> SafeString:
    """Include what shows a track: ``{% row "library/partials/track_row.html" track list="recent" %}``.

    It sees the track and what else is named, and nothing else of the page.
    """
    return drawn(name, track, context.get("request"), **more)


@register.simple_tag(takes_context=True)
def mood_row(context: Context, track: Track) -> SafeString:
    """Draw a track of a mood, which has how strong it is there as `strength`."""
    request, strength = context["request"], track.strength  # type: ignore[attr-defined]  # annotated
    slots = {"share": f"{strength:.3f}", "percent": percent(strength)}
    pick = request.user.is_authenticated
    return drawn("library/partials/mood_row.html", track, request, slots=slots, pick=pick)


@register.simple_tag(takes_context=True)
def neighbour_row(context: Context, neighbour: Neighbour, query: UUID, lens: str) -> SafeString:
    """Draw a similar track of the one whose key is `query`."""
    request, track = context["request"], neighbour.track
    return filled(
        "library/track/neighbour.html",
        {
            "head": drawn("library/track/neighbour_head.html", track, request, with_genres=False),
            "facts": drawn("library/track/neighbour_facts.html", track, request),
            "why": " · ".join(neighbour.why),
            "distance": floatformat(neighbour.distance, 2),
            "query": query,
            "key": track.pk,
            "title": track.title,
            "csrf_token": context.get("csrf_token", ""),
        },
        {"thumb": neighbour.thumb, "lens": lens, "has_thumbs": request.user.is_authenticated},
    )
