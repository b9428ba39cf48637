"""What happens to a person's things, as a short stream in Redis that their pages and programs read.

Streams only save polling: they are short, end by themselves, and while Redis is away nothing is told. The
rows say what is true.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from redis import RedisError

from genreweb import heartbeat

log = logging.getLogger(__name__)

_KEY = "genreweb:events:{}"
_KEPT_SECONDS = 600
_KEPT_MESSAGES = 500
_WAIT_SECONDS = 5.0
"""Between signs of life, by which the server notices that a reader is gone."""
_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,10}")
_START = "0-0"


def publish_on_commit(*, user_id: int | None, event: str, data: dict[str, Any]) -> None:
    """Tell a person's readers of something once it is committed."""
    if user_id is not None:
        transaction.on_commit(lambda: publish(user_id=user_id, event=event, data=data), robust=True)


def publish(*, user_id: int, event: str, data: dict[str, Any]) -> None:
    """Tell a person's readers of something."""
    key = _KEY.format(user_id)
    try:
        with heartbeat.connect(timeout=0.5) as client, client.pipeline() as pipeline:
            pipeline.xadd(
                key,
                {"event": event, "data": json.dumps(data, default=str)},
                maxlen=_KEPT_MESSAGES,
                approximate=True,
            )
            pipeline.expire(key, _KEPT_SECONDS)
            pipeline.execute()
    except (RedisError, OSError):
        log.debug("an event was not told: Redis is away")


class Stream:
    """Server-sent events of one person for `seconds`, beginning after the message `after`.

    Raises
    ------
    RedisError, OSError
        From the constructor, if Redis is away.
    """

    def __init__(self, *, user_id: int, after: str, seconds: float) -> None:
        self._key = _KEY.format(user_id)
        self._client = heartbeat.connect(timeout=2 * _WAIT_SECONDS)
        self._end = time.monotonic() + seconds
        self._after = after if _ID.fullmatch(after) else self._last()

    def _last(self) -> str:
        newest: Any = self._client.xrevrange(self._key, count=1)
        return newest[0][0].decode() if newest else _START

    def lines(self) -> Iterator[str]:
        """Give what is sent, piece by piece."""
        # The reader comes back by itself; where its last message is gone, it gets what is left.
        yield f"retry: 1000\nid: {self._after}\n\n"
        while (left := self._end - time.monotonic()) > 0:
            block = max(1, int(min(left, _WAIT_SECONDS) * 1000))
            try:
                found: Any = self._client.xread({self._key: self._after}, count=100, block=block)
            except (RedisError, OSError):
                return
            if not found:
                yield ": nothing new\n\n"
            for number, fields in found[0][1] if found else ():
                self._after = number.decode()
                event, data = fields[b"event"].decode(), fields[b"data"].decode()
                yield f"id: {self._after}\nevent: {event}\ndata: {data}\n\n"

    def close(self) -> None:
        self._client.close()
