"""Heartbeats of workers in Redis, so that nobody has to ask each worker and wait."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from typing import Any, cast

import psutil
import redis
from celery import bootsteps
from django.conf import settings

SECONDS = 5.0
LOST_AFTER_SECONDS = 20.0
_KEY = "genreweb:workers:{}"
_MEMORY = "genreweb:worker:{}:memory"

logger = logging.getLogger(__name__)


def connect(*, timeout: float = 2.0) -> redis.Redis:
    """Connect to the broker with short timeouts."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout)


def _now(client: redis.Redis) -> float:
    # The broker's clock: those of the machines differ.
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def beat(client: redis.Redis, *, queues: list[str], worker: str) -> None:
    """Record that `worker`, which is this process, consumes `queues` now, and the memory that it takes."""
    now = _now(client)
    resident, processes = _own_memory()
    with client.pipeline() as pipeline:
        pipeline.set(_MEMORY.format(worker), f"{resident} {processes}", ex=int(LOST_AFTER_SECONDS))
        for queue in queues:
            key = _KEY.format(queue)
            pipeline.zremrangebyscore(key, "-inf", now - LOST_AFTER_SECONDS)
            # Left from before the clock was set back.
            pipeline.zremrangebyscore(key, now + LOST_AFTER_SECONDS, "+inf")
            pipeline.zadd(key, {worker: now})
            pipeline.expire(key, int(LOST_AFTER_SECONDS))
        pipeline.execute()


def leave(client: redis.Redis, *, queues: list[str], worker: str) -> None:
    """Record that `worker` stops."""
    for queue in queues:
        client.zrem(_KEY.format(queue), worker)


def live_workers(client: redis.Redis, *, queue: str) -> int:
    """Count the workers whose last heartbeat for `queue` is recent."""
    now = _now(client)
    return int(client.zcount(_KEY.format(queue), now - LOST_AFTER_SECONDS, now + LOST_AFTER_SECONDS))


def memory(client: redis.Redis, *, queues: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Give the resident bytes and the number of processes of each live worker for one of `queues`."""
    since = _now(client) - LOST_AFTER_SECONDS
    found = {}
    for queue in queues:
        for name in cast("list[bytes]", client.zrangebyscore(_KEY.format(queue), since, "+inf")):
            worker = name.decode()
            if said := cast("bytes | None", client.get(_MEMORY.format(worker))):
                resident, processes = said.split()
                found[worker] = int(resident), int(processes)
    return found


def _own_memory() -> tuple[int, int]:
    """Measure this process and those that it started."""
    resident = processes = 0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        # Processes of a worker come and go.
        with contextlib.suppress(psutil.Error):
            resident += process.memory_info().rss
            processes += 1
    return resident, processes


class Heartbeat(bootsteps.StartStopStep):
    """Send heartbeats from a Celery worker's main loop, so that those of a hung worker stop."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.client = connect()
        self.timer_entry: Any = None

    def start(self, worker: Any) -> None:
        self._beat(worker)
        self.timer_entry = worker.timer.call_repeatedly(SECONDS, self._beat, (worker,))

    def stop(self, worker: Any) -> None:
        if self.timer_entry is not None:
            self.timer_entry.cancel()
        try:
            leave(self.client, queues=self._queues(worker), worker=worker.hostname)
        except redis.RedisError:
            logger.debug("left without a word: the broker is away")
        self.client.close()

    def _beat(self, worker: Any) -> None:
        try:
            beat(self.client, queues=self._queues(worker), worker=worker.hostname)
        except redis.RedisError as error:
            logger.warning("no heartbeat: %s", error)

    @staticmethod
    def _queues(worker: Any) -> list[str]:
        return list(worker.app.amqp.queues.consume_from)
