"""Whether htmx sent a request, which tracks it names, and short answers to htmx."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict

from library.models import Track

MOST_NAMED = 1000


def by_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def tell(text: str, *, undo: Mapping[str, object] | None = None, **events: object) -> HttpResponse:
    """Swap nothing, but show `text` and trigger `events` for other parts of the page.

    With `undo`, beside the text is a button that posts its ``tracks`` to its ``url``.
    """
    toast = {"text": text, **({"undo": dict(undo)} if undo else {})}
    trigger = {"toast": toast, **{name.replace("_", "-"): value for name, value in events.items()}}
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


def chosen_ids(request: HttpRequest, sent: QueryDict | None = None) -> list[UUID]:
    """Return the ids of the tracks that were chosen in a list; with `sent`, of those named there."""
    chosen = []
    for value in (request.POST if sent is None else sent).getlist("track"):
        try:
            chosen.append(UUID(value))
        except ValueError:
            continue
    return chosen
