"""Server-sent events: what happens to a person's tracks, uploads and runs, while it happens."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from redis import RedisError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.event_answers import BusyError, event_response
from genreweb.event_stream import topic_of
from library.api.exports import AnswersFile
from library.errors import TrackError

_HEARTBEAT = ": nothing new\n\n"


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
            "and `run` (id, status) of runs that you asked for, `clip` (id, status) of clips that you sent, "
            "`reanalysis` (id, scope, status) of re-analyses of your tracks. "
            "After five minutes at most the answer ends; ask again with `Last-Event-ID`, as browsers do. "
            "Where too many listen, others are answered 503 with `Retry-After`, and ask for the things "
            "themselves now and then."
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
        try:
            return event_response(
                request._request,
                topics=[topic_of(user.pk)],
                caller=str(user.pk),
                heartbeat_event=_HEARTBEAT,
            )
        except BusyError as error:
            raise TrackError("busy") from error
        except (RedisError, OSError) as error:
            raise TrackError("unavailable") from error
