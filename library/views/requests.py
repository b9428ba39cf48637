"""Whether htmx sent a request, which tracks it names, and short answers to htmx."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from library.models import Track

MOST_NAMED = 1000


def by_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def tell(text: str, **events: object) -> HttpResponse:
    """Swap nothing, but show `text` and trigger `events` for other parts of the page."""
    trigger = {"toast": {"text": text}, **{name.replace("_", "-"): value for name, value in events.items()}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(trigger)})


def tracks_named(request: HttpRequest, values: Sequence[str]) -> list[Track]:
    """Fetch the tracks that the user may see of those named, in their order, each once."""
    named: dict[UUID, None] = {}
    for value in values[:MOST_NAMED]:
        try:
            named[UUID(value)] = None
        except ValueError:
            continue
    found = Track.objects.visible_to(request.user).with_verdict().in_bulk(list(named))
    return [found[pk] for pk in named if pk in found]
