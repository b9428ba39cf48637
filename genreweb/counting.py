"""The cache in which attempts are counted: Redis or, while it is unreachable, the memory of each process.

django-allauth and the API's throttles count in Django's default cache. Without one, allauth would let nobody
in and the API would count nothing. People must get in while Redis is away, and guessing passwords must stay
slow, so that each process then counts what it sees by itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django_redis.cache import RedisCache
from redis.exceptions import RedisError

AWAY_SECONDS = 5.0
"""For how long Redis is not asked after a timeout: a hung one would delay every request."""

_MOST_COUNTS = 10_000
# By server; Django makes a cache for each thread, and one failure is enough for all.
_away_until: dict[str, float] = {}

log = logging.getLogger(__name__)


class CountingCache(RedisCache):  # type: ignore[misc]  # django-redis has no types
    """A cache in Redis that falls back to the memory of this process while Redis does not answer.

    For counts, and whatever else may differ between processes for a while: sessions may not, they are rows.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache(f"away:{server}", {"max_entries": _MOST_COUNTS})

    def get(self, *args: Any, **options: Any) -> Any:
        return self._ask(super().get, self._memory.get, args, options)

    def set(self, *args: Any, **options: Any) -> Any:
        return self._ask(super().set, self._memory.set, args, options)

    def add(self, *args: Any, **options: Any) -> Any:
        return self._ask(super().add, self._memory.add, args, options)

    def delete(self, *args: Any, **options: Any) -> Any:
        return self._ask(super().delete, self._memory.delete, args, options)

    def _ask(
        self, redis: Callable[..., Any], memory: Callable[..., Any], args: Any, options: dict[str, Any]
    ) -> Any:
        if time.monotonic() >= _away_until.get(self._server, 0.0):
            try:
                return redis(*args, **options)
            except (RedisError, OSError) as error:
                _away_until[self._server] = time.monotonic() + AWAY_SECONDS
                log.warning("Redis is away, attempts are counted by each process for itself: %s", error)
        return memory(*args, **options)
