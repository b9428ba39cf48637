"""Streams of events without a thread each: one thread per process reads Redis for all who listen.

The web server (`genreweb.web_worker`) answers the head of a stream in one of its threads, which is free
again at once; the connection stays with the event loop, and what it sends is handed to that loop from here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis import RedisError

from genreweb import event_stream, heartbeat

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
"""Between signs of life, by which pages notice a proxy that holds events back."""
_TICK_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 2.0


class Connection(Protocol):
    """What a stream needs of a connection of the web server. Both may be called from any thread."""

    def send_event(self, data: bytes) -> None: ...

    def end_events(self) -> None: ...


@dataclass(eq=False, slots=True)
class Subscription:
    """One who listens: to what, since which message, until when."""

    topics: Sequence[str]
    caller: str
    after: str
    heartbeat: bytes
    until: float
    connection: Connection | None = None
    sent: float = field(default_factory=time.monotonic)


class Hub:
    """All subscriptions of a process, some at most, and some of one caller. Safe to share between threads."""

    def __init__(
        self, *, total: int, per_caller: int, connect: Callable[..., Any] = heartbeat.connect
    ) -> None:
        self._total, self._per_caller, self._connect = total, per_caller, connect
        self._held: set[Subscription] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def reserve(self, subscription: Subscription) -> bool:
        """Take a place; False where there is none. `start` or `release` must follow."""
        with self._lock:
            taken = Counter(one.caller for one in self._held)
            if taken.total() >= self._total or taken[subscription.caller] >= self._per_caller:
                return False
            self._held.add(subscription)
        return True

    def release(self, subscription: Subscription) -> None:
        """Give a place back; does nothing where it was given back before."""
        with self._lock:
            self._held.discard(subscription)

    def start(self, subscription: Subscription, connection: Connection) -> None:
        """Send what happens from now on, and what has happened since the subscription's last message."""
        with self._lock:
            subscription.connection = connection
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event-hub", daemon=True)
                self._thread.start()
        try:
            with self._connect(timeout=1.0) as client:
                self._deliver(client, [subscription])
        except (RedisError, OSError):
            self._end([subscription])

    # --- the thread -------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            try:
                with self._connect(timeout=5.0) as client, client.pubsub() as subscribed:
                    subscribed.subscribe(event_stream.CHANNEL)
                    # What happened while Redis was away, or before this thread began.
                    self._deliver(client, self._started())
                    while True:
                        self._turn(client, subscribed)
            except (RedisError, OSError):
                # Pages come back by themselves, or ask for the things instead.
                self._end(self._started())
                time.sleep(_AFTER_FAULT_SECONDS)
            except Exception:
                log.exception("the thread of the event streams failed and begins anew")
                self._end(self._started())
                time.sleep(_AFTER_FAULT_SECONDS)

    def _turn(self, client: Any, subscribed: Any) -> None:
        """Wait for news, pass it on, and look after those to whom nothing was sent for long."""
        topics = set()
        message = subscribed.get_message(ignore_subscribe_messages=True, timeout=_TICK_SECONDS)
        while message is not None:
            topics.add(message["data"].decode())
            message = subscribed.get_message(ignore_subscribe_messages=True)
        started = self._started()
        if topics:
            self._deliver(client, [one for one in started if topics.intersection(one.topics)])
        now = time.monotonic()
        self._end([one for one in started if now > one.until])
        for one in started:
            if one.until >= now > one.sent + HEARTBEAT_SECONDS:
                self._send(one, one.heartbeat)

    def _started(self) -> list[Subscription]:
        with self._lock:
            return [one for one in self._held if one.connection is not None]

    def _deliver(self, client: Any, subscriptions: Iterable[Subscription]) -> None:
        for one in subscriptions:
            while news := event_stream.since(client, one.topics, one.after):
                # The request's thread and this one may read the same messages.
                with self._lock:
                    if fresh := [event for event in news if event.follows(one.after)]:
                        one.after = fresh[-1].number
                        self._send(one, "".join(event.text for event in fresh).encode())

    def _send(self, subscription: Subscription, data: bytes) -> None:
        subscription.sent = time.monotonic()
        if subscription.connection is not None:
            subscription.connection.send_event(data)

    def _end(self, subscriptions: Iterable[Subscription]) -> None:
        for one in subscriptions:
            self.release(one)
            if one.connection is not None:
                with suppress(OSError):
                    one.connection.end_events()
