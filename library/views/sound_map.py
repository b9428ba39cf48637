"""The page of the map; its points come from the API."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from library.services import sound_map

MOST_CHOSEN: Final = 900
"""Tracks of one new playlist: Django refuses forms of more than a thousand fields."""


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Show the map; where there is no layout yet, have it made."""
    ready = sound_map.current() is not None
    if not ready:
        sound_map.request()
    return render(request, "library/map.html", {"ready": ready, "most_chosen": MOST_CHOSEN})
