"""The answer by which a person's pages and programs listen to events: one for both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse

from genreweb import event_stream, heartbeat
from genreweb.event_hub import Hub, Subscription
from genreweb.event_stream import Stream

HELD_SECONDS = 300.0
"""Then a stream ends, and the reader comes back: who may listen is looked at again."""
THREAD_SECONDS = 30.0
"""The same where a stream holds a thread, as in a server that is not ours."""
THREADS = 4
"""How many of these there may be."""
KEEP_OPEN = "genreweb.keep_open"
"""What our server offers in a request's environment: to keep the connection after its thread is done."""

hub = Hub(total=settings.API_EVENT_STREAMS, per_caller=settings.API_EVENT_STREAMS_EACH)
_in_threads = Hub(total=min(THREADS, settings.API_EVENT_STREAMS), per_caller=settings.API_EVENT_STREAMS_EACH)


class BusyError(Exception):
    """As many listen as may."""


class _Body:
    """The pieces of an answer, and what is given back when the answer is closed, read to its end or not."""

    def __init__(self, pieces: Iterator[str], held: ExitStack) -> None:
        self._pieces, self._held = pieces, held

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def close(self) -> None:
        self._held.close()


def event_response(
    request: HttpRequest, *, topics: Sequence[str], caller: str, heartbeat_event: str
) -> StreamingHttpResponse:
    """Answer with what happens to `topics`, from the message on that the reader names or from now on.

    Raises
    ------
    BusyError
        Where `caller`, or all together, have as many streams as they may.
    RedisError, OSError
        If Redis is away.
    """
    after = request.headers.get("Last-Event-ID", "")
    keep_open = request.META.get(KEEP_OPEN) if request.method == "GET" else None
    places, seconds = (hub, HELD_SECONDS) if keep_open else (_in_threads, THREAD_SECONDS)
    subscription = Subscription(
        topics=topics,
        caller=caller,
        after=after,
        heartbeat=heartbeat_event.encode(),
        until=time.monotonic() + seconds,
    )
    with ExitStack() as stack:
        if not places.reserve(subscription):
            raise BusyError
        stack.callback(places.release, subscription)
        if keep_open:
            with heartbeat.connect(timeout=1.0) as client:
                subscription.after = event_stream.beginning(client, topics, after)
            pieces = iter([event_stream.preamble(subscription.after)])
            keep_open(
                lambda connection: hub.start(subscription, connection), lambda: hub.release(subscription)
            )
            # The place is given back by the connection, which lives on.
            stack.pop_all()
            held = stack
        else:
            stream = Stream(topics=topics, after=after, seconds=seconds, heartbeat_event=heartbeat_event)
            stack.callback(stream.close)
            pieces, held = stream.lines(), stack.pop_all()
    response = StreamingHttpResponse(_Body(pieces, held), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    # A proxy that collects answers would hold events back.
    response["X-Accel-Buffering"] = "no"
    return response
