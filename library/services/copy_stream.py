"""Copies that are sent while they are encoded: a worker puts their bytes into Redis, for whoever listens.

Redis holds them for a short time and only the first `MOST_BYTES` of each copy; what comes later is read from
the stored file. Each attempt of a worker has parts of its own, as two encoders need not write the same bytes.
While Redis is away, or where its parts are lost, whoever asks waits for the stored file.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, cast

from django.core.files.storage import default_storage
from redis import RedisError

from genreweb import heartbeat
from genreweb.jobs import Claim
from library.models import EncodedCopy

log = logging.getLogger(__name__)

MOST_BYTES: Final = 16 * 2**20
KEPT_SECONDS: Final = 120
_KEPT_AFTER_THE_END_SECONDS: Final = 10
SILENT_SECONDS: Final = 300.0
"""Without another part a listener is sent away: nothing is encoded for longer, and a dead worker is noticed
earlier. Behind the first `MOST_BYTES` nothing comes until all is encoded."""
_PAUSE_SECONDS: Final = 0.05
_AT_ONCE: Final = 2**18
_TIMEOUT_SECONDS: Final = 1.0
_KEY: Final = "genreweb:copy:{}:{}"

Status = EncodedCopy.Status


class BrokenOffError(Exception):
    """A copy of which a part has been sent will not be finished."""


class Publisher:
    """Puts the parts of one attempt into Redis, up to the first fault of it."""

    def __init__(self, claim: Claim[EncodedCopy]) -> None:
        self._key = _KEY.format(claim.row.pk, claim.attempt)
        self._size = self._published = 0
        self._works = True

    def put(self, part: bytes) -> None:
        """Add a part."""
        self._size += len(part)
        if self._size <= MOST_BYTES and self._works:
            self._works = self._push(part)
            self._published += 1

    def end(self) -> None:
        """Say that there are no more parts."""
        if self._works:
            self._set_end()

    def _push(self, part: bytes) -> bool:
        try:
            with heartbeat.connect(timeout=_TIMEOUT_SECONDS) as client, client.pipeline() as pipeline:
                pipeline.rpush(self._key, part)
                pipeline.expire(self._key, KEPT_SECONDS)
                # Another part than the next one would leave a hole.
                return bool(pipeline.execute()[0] == self._published + 1)
        except (RedisError, OSError):
            log.debug("parts of a copy are not published: Redis is away")
            return False

    def _set_end(self) -> None:
        with (
            contextlib.suppress(RedisError, OSError),
            heartbeat.connect(timeout=_TIMEOUT_SECONDS) as client,
            client.pipeline() as pipeline,
        ):
            pipeline.set(_end_of(self._key), self._size, ex=KEPT_SECONDS)
            # The file has them too.
            pipeline.expire(self._key, _KEPT_AFTER_THE_END_SECONDS)
            pipeline.execute()


class Listener:
    """A copy that is being encoded: iterating over it gives its bytes as they come.

    What is `held` for it is given back when it is closed, read to its end or not.
    """

    def __init__(self, copy: EncodedCopy) -> None:
        self.copy = copy
        self.held = ExitStack()
        self._key = _KEY.format(copy.pk, copy.attempt)
        self._parts = self._sent = 0

    @property
    def has_begun(self) -> bool:
        """Whether there is a first part."""
        try:
            with heartbeat.connect(timeout=_TIMEOUT_SECONDS) as client:
                return bool(client.exists(self._key))
        except (RedisError, OSError):
            return False

    def __iter__(self) -> Iterator[bytes]:
        """Give the parts.

        Raises
        ------
        BrokenOffError
            From the iterator: there will be no more, though there should be.
        """
        last = time.monotonic()
        while True:
            # In this order: what was published before the copy was done is seen once it is seen to be done.
            row = EncodedCopy.objects.filter(pk=self.copy.pk, attempt=self.copy.attempt).first()
            parts, size = self._news()
            for part in parts:
                self._sent += len(part)
                yield part
            if self._sent == size:
                return
            if row is not None and row.status == Status.DONE:
                yield from self._rest(row)
                return
            if row is None or row.status != Status.RUNNING:
                raise BrokenOffError(f"copy {self.copy.pk} was not finished")
            if parts:
                last = time.monotonic()
            elif time.monotonic() - last > SILENT_SECONDS:
                raise BrokenOffError(f"no more comes of copy {self.copy.pk}")
            else:
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        self.held.close()

    def _news(self) -> tuple[list[bytes], int | None]:
        """Take the parts that have come, and how long all is where that is known; nothing without Redis."""
        try:
            with heartbeat.connect(timeout=_TIMEOUT_SECONDS) as client, client.pipeline() as pipeline:
                pipeline.lrange(self._key, self._parts, -1)
                pipeline.get(_end_of(self._key))
                parts, said = cast("tuple[list[bytes], bytes | None]", pipeline.execute())
        except (RedisError, OSError):
            return [], None
        self._parts += len(parts)
        return parts, int(said) if said else None

    def _rest(self, row: EncodedCopy) -> Iterator[bytes]:
        """Give from the stored file, which is as long as its parts, what was too much for Redis."""
        try:
            with default_storage.open(str(row.file.name)) as file:
                file.seek(self._sent)
                while part := file.read(_AT_ONCE):
                    self._sent += len(part)
                    yield part
        except OSError as error:
            raise BrokenOffError(f"the file of copy {self.copy.pk} is gone") from error
        if self._sent != row.size:
            raise BrokenOffError(f"the file of copy {self.copy.pk} is another one")


def _end_of(key: str) -> str:
    return f"{key}:end"
