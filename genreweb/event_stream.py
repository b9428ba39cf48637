"""What happens to a person's things, as a short stream in Redis that their pages and programs read.

Streams only save polling: they are short, end by themselves, and while Redis is away nothing is sent. The
rows say what is true.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from redis import RedisError

from genreweb import heartbeat

log = logging.getLogger(__name__)

CHANNEL = "genreweb:events"
"""Where the topics are named of which there is news (Redis pub/sub)."""
CURATORS = "curators"
"""The topic of what all curators may know."""
_KEY = "genreweb:events:{}"
_KEPT_SECONDS = 600
_KEPT_MESSAGES = 500
_WAIT_SECONDS = 5.0
"""Between signs of life, by which the server notices that a reader is gone."""
_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,10}")
_START = "0-0"
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One message: its number, and how it is sent."""

    number: str
    text: str

    def follows(self, number: str) -> bool:
        return _order(self.number) > _order(number)


def topic_of(user_id: int) -> str:
    """Name the topic of what one person may know."""
    return str(user_id)


def publish_on_commit(*, user_id: int | None, event: str, data: dict[str, Any]) -> None:
    """Tell a person's readers of something once it is committed."""
    if user_id is not None:
        transaction.on_commit(lambda: publish(user_id=user_id, event=event, data=data), robust=True)


def publish_to_curators_on_commit(*, event: str, data: dict[str, Any]) -> None:
    """Tell all curators of something once it is committed."""
    transaction.on_commit(lambda: _publish(CURATORS, event, data), robust=True)


def publish(*, user_id: int, event: str, data: dict[str, Any]) -> None:
    """Tell a person's readers of something."""
    _publish(topic_of(user_id), event, data)


def _publish(topic: str, event: str, data: dict[str, Any]) -> None:
    key = _KEY.format(topic)
    try:
        with heartbeat.connect(timeout=0.5) as client, client.pipeline() as pipeline:
            pipeline.xadd(
                key,
                {"event": event, "data": json.dumps(data, default=str)},
                maxlen=_KEPT_MESSAGES,
                approximate=True,
            )
            pipeline.expire(key, _KEPT_SECONDS)
            pipeline.publish(CHANNEL, topic)
            pipeline.execute()
    except (RedisError, OSError):
        log.debug("an event was not published: Redis is away")


def _order(number: str) -> tuple[int, int]:
    milliseconds, _dash, sequence = number.partition("-")
    return int(milliseconds), int(sequence)


def last(client: Any, topics: Sequence[str]) -> str:
    """Give the number of the newest message."""
    newest = (client.xrevrange(_KEY.format(topic), count=1) for topic in topics)
    return max((found[0][0].decode() for found in newest if found), key=_order, default=_START)


def beginning(client: Any, topics: Sequence[str], after: str) -> str:
    """Give the number from which a reader goes on who names `after`, which anybody may have written."""
    return after if _ID.fullmatch(after) else last(client, topics)


def since(client: Any, topics: Sequence[str], after: str, *, block: int | None = None) -> list[Event]:
    """Give what was published after a message, in order; with `block`, wait for it for so many milliseconds.

    Numbers are times of the one clock of Redis, so those of several topics can be compared.
    """
    keys = {_KEY.format(topic): after for topic in topics}
    found: Any = client.xread(keys, count=_AT_ONCE, block=block)
    events = []
    for _key, messages in found or ():
        for raw, fields in messages:
            number, event, data = raw.decode(), fields[b"event"].decode(), fields[b"data"].decode()
            events.append(Event(number, f"id: {number}\nevent: {event}\ndata: {data}\n\n"))
    return sorted(events, key=lambda one: _order(one.number))


class Stream:
    """Server-sent events of `topics` for `seconds`, beginning after the message `after`.

    It waits in the thread of whoever reads it: for servers that cannot keep a connection open without one.

    Raises
    ------
    RedisError, OSError
        From the constructor, if Redis is away.
    """

    def __init__(self, *, topics: Sequence[str], after: str, seconds: float, heartbeat_event: str) -> None:
        self._topics, self._heartbeat = topics, heartbeat_event
        self._client = heartbeat.connect(timeout=2 * _WAIT_SECONDS)
        self._end = time.monotonic() + seconds
        self._after = beginning(self._client, topics, after)

    def lines(self) -> Iterator[str]:
        """Give what is sent, piece by piece."""
        yield preamble(self._after)
        while (left := self._end - time.monotonic()) > 0:
            block = max(1, int(min(left, _WAIT_SECONDS) * 1000))
            try:
                news = since(self._client, self._topics, self._after, block=block)
            except (RedisError, OSError):
                return
            if not news:
                yield self._heartbeat
            for event in news:
                self._after = event.number
                yield event.text

    def close(self) -> None:
        self._client.close()


def preamble(after: str) -> str:
    """Give how a stream begins: the reader comes back by itself, and goes on where it was."""
    return f"retry: 1000\nid: {after}\n\n"
