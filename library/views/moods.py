"""Music for a mood: all moods, and the tracks for one of them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.core.tags import MOODS
from classifier.tag_words import named
from library.moods import overview, tracks_for
from library.views.paging import bounded_page_of

PER_PAGE = 30


@require_safe
def moods(request: HttpRequest) -> HttpResponse:
    """Show every mood with its strongest tracks among those that the user may see."""
    shown = overview(user=request.user)
    return render(
        request, "library/moods.html", {"moods": shown, "any_tracks": any(mood.tracks for mood in shown)}
    )


@require_safe
def mood(request: HttpRequest, slug: str) -> HttpResponse:
    """List the tracks for one mood, the strongest first."""
    if slug not in MOODS:
        raise Http404
    context = {
        "mood": named(slug),
        "moods": [named(other) for other in MOODS],
        **bounded_page_of(
            tracks_for(slug, user=request.user).for_rows(), request, per_page=PER_PAGE, filters=""
        ),
    }
    return render(request, "library/mood.html", context)
