"""Events for pages that wait for something, so that they need not ask every other second."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_GET
from redis import RedisError

from genreweb.event_answers import BusyError, event_response
from genreweb.event_stream import CURATORS, topic_of

# A comment would not reach a page's script.
_HEARTBEAT = "event: heartbeat\ndata:\n\n"
_NONE_SECONDS = "30"


@require_GET
def events(request: HttpRequest) -> HttpResponseBase:
    """Tell of the person's tracks, clips and runs, and a curator of all runs and checks of the labels.

    204 tells a browser not to come back, 503 to ask for the things instead.
    """
    user = request.user
    if not user.is_authenticated:
        return HttpResponse(status=204)
    topics = [topic_of(user.pk), *([CURATORS] if user.is_curator else [])]
    try:
        response = event_response(request, topics=topics, caller=str(user.pk), heartbeat_event=_HEARTBEAT)
    except (BusyError, RedisError, OSError):
        return HttpResponse(status=503, headers={"Retry-After": _NONE_SECONDS})
    return response
