"""What the player and the lists ask of several tracks at once: links to play them by, and small waveforms."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.template import Context
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from library.models import Track, TrackQuerySet
from library.services import outlines
from library.templatetags import sound

MOST = 200


@require_safe
@never_cache
def sounds(request: HttpRequest) -> JsonResponse:
    """Give what the player needs of each ``track`` of the address, in its order.

    Links to sounds expire, so a queue that was kept asks anew. What is not visible is left out.
    """
    wanted = _wanted(request, MOST)
    found = _visible(request, wanted).in_bulk(wanted)
    rows = [
        {
            "track": str(pk),
            "url": track.player_url,
            "title": track.title,
            "artist": track.artist,
            "href": reverse("library:track", args=[pk]),
            "duration": track.duration or 0,
            "cover": track.cover.url if track.cover else "",
        }
        for pk in wanted
        if (track := found.get(pk)) is not None
    ]
    return JsonResponse({"sounds": rows})


@require_safe
@never_cache
def waves(request: HttpRequest) -> JsonResponse:
    """Give the small waveform of each ``track`` of the address, with the colour of the genre of each bar."""
    context = Context({"request": request})
    found = outlines.outlines(_visible(request, _wanted(request, outlines.MOST)))
    return JsonResponse(
        {
            str(pk): {
                "bars": outline["bars"],
                "colours": [sound.genre(context, slug).colour for slug in outline["genres"]],
                "places": outline["places"],
            }
            for pk, outline in found.items()
        }
    )


def _visible(request: HttpRequest, wanted: list[UUID]) -> TrackQuerySet:
    return Track.objects.visible_to(request.user).filter(pk__in=wanted)


def _wanted(request: HttpRequest, most: int) -> list[UUID]:
    wanted: dict[UUID, None] = {}
    for text in request.GET.getlist("track")[:most]:
        try:
            wanted[UUID(text)] = None
        except ValueError:
            continue
    return list(wanted)
