"""The tag that draws a row of a list."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from library.models import Track
from library.views.row_values import drawn

register = template.Library()


@register.simple_tag(takes_context=True)
def row(context: Context, name: str, track: Track, **more: Any) -> SafeString:
    """Include what shows a track: ``{% row "library/partials/track_row.html" track list="recent" %}``.

    It sees the track and what else is named, and nothing else of the page.
    """
    return drawn(name, track, context.get("request"), **more)
