"""Server-sent events: what happens to a person's tracks, uploads and runs, while it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from redis import RedisError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.event_stream import Stream
from library.api.exports import AnswersFile
from library.errors import TrackError
from library.services.waiting import Places

SECONDS = 30.0
"""Then the connection ends, and the reader comes back: nobody holds a thread of the server for long."""

_places = Places(settings.API_EVENT_STREAMS, per_caller=settings.API_EVENT_STREAMS_EACH)


class _Body:
    """The pieces of an answer, and what is given back when the answer is closed, read to its end or not."""

    def __init__(self, pieces: Iterator[str], held: ExitStack) -> None:
        self._pieces, self._held = pieces, held

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def close(self) -> None:
        self._held.close()


class EventsView(AnswersFile, APIView):
    """Events of your tracks, uploads and runs."""

    permission_classes = (IsAuthenticated,)
    write_scope = None

    @extend_schema(
        operation_id="get_events",
        tags=["tracks"],
        summary="Listen to events",
        description=(
            "Server-sent events (`text/event-stream`): `track` (id, status, step), `upload` (id, status) "
            "and `run` (id, status) of runs that you asked for. After 30 seconds the answer ends; ask "
            "again with `Last-Event-ID`, as browsers do. Few can listen at once: others are answered 503 "
            "with `Retry-After`, and ask for the things themselves now and then."
        ),
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                str,
                OpenApiParameter.HEADER,
                description="The last event that you have seen.",
            )
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        user = cast(User, request.user)
        with ExitStack() as stack:
            if not stack.enter_context(_places.place(str(user.pk))):
                raise TrackError("busy")
            try:
                stream = Stream(
                    user_id=user.pk, after=request.headers.get("Last-Event-ID", ""), seconds=SECONDS
                )
            except (RedisError, OSError) as error:
                raise TrackError("unavailable") from error
            stack.callback(stream.close)
            body = _Body(stream.lines(), stack.pop_all())
        response = StreamingHttpResponse(body, content_type="text/event-stream")
        response["Cache-Control"] = "no-store"
        # A proxy that collects answers would hold events back.
        response["X-Accel-Buffering"] = "no"
        return response
