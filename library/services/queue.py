"""Send tasks to the workers by their registered names, so that services need not import the tasks.

The rows say what is to do; a lost message only delays it, because the sweepers send it again.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from celery import current_app
from celery.result import AsyncResult
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from genreweb import heartbeat

log = logging.getLogger(__name__)

INTERACTIVE = "analysis"
BULK = "bulk"
PROMPT: Final = 4
"""So many sounds of one person wait on the interactive queue: others would have to wait for more."""


class Task(StrEnum):
    """The names under which `library.tasks` registers what these services send."""

    ANALYSE_TRACK = "library.tasks.analyse_track"
    EXPLAIN = "library.tasks.explain"
    ENCODE = "library.tasks.encode"
    FIT_MAP = "library.tasks.fit_map"
    UNPACK = "library.tasks.unpack"
    CLASSIFY_SCRATCH = "library.tasks.classify_scratch"
    DESCRIBE_SCRATCH = "library.tasks.describe_scratch"
    MEASURE_FEATURES = "library.tasks.measure_features"


def send(track_id: UUID, *, bulk: bool) -> bool:
    """Put a track on the queue; False if the broker is unreachable: the sweeper then sends it later."""
    return put(Task.ANALYSE_TRACK, str(track_id), BULK if bulk else INTERACTIVE)


def send_on_commit(track_id: UUID, *, bulk: bool) -> None:
    """Put a track on the queue once its row is committed."""
    transaction.on_commit(lambda: send(track_id, bulk=bulk), robust=True)


def send_explanation(pk: int) -> bool:
    """Put an explanation on the interactive queue; False if the broker is unreachable."""
    return put(Task.EXPLAIN, pk, INTERACTIVE)


def send_explanation_on_commit(pk: int) -> None:
    """Put an explanation on the queue once its row is committed."""
    transaction.on_commit(lambda: send_explanation(pk), robust=True)


def send_copy(pk: int) -> bool:
    """Put an encoded copy on the interactive queue; False if the broker is unreachable."""
    return put(Task.ENCODE, pk, INTERACTIVE)


def send_copy_on_commit(pk: int) -> None:
    """Put an encoded copy on the queue once its row is committed."""
    transaction.on_commit(lambda: send_copy(pk), robust=True)


def send_map(pk: int) -> bool:
    """Put a fit of the map on the bulk queue; False if the broker is unreachable."""
    return put(Task.FIT_MAP, pk, BULK)


def send_batch(pk: UUID) -> bool:
    """Put an archive on the bulk queue; False if the broker is unreachable."""
    return put(Task.UNPACK, str(pk), BULK)


def send_batch_on_commit(pk: UUID) -> None:
    """Put an archive on the queue once its row is committed."""
    transaction.on_commit(lambda: send_batch(pk), robust=True)


def put(task: str, subject: str | int, name: str) -> bool:
    """Send the task registered as `task`, with `subject`, to the queue `name`.

    Returns False if the broker is unreachable.
    """
    try:
        current_app.send_task(task, (subject,), queue=name, retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("%s %s waits for the sweeper: the broker is away (%s)", task, subject, error)
        return False
    return True


def send_scratch(task: Task, name: str, *, anonymous: bool, expires: float) -> AsyncResult[Any]:
    """Send a scratch file to be classified or described, and give a handle on the result.

    Raises what Celery and the Redis client raise if the broker is unreachable.
    """
    return current_app.send_task(
        task,
        (name, anonymous),
        queue=INTERACTIVE,
        expires=expires,
        retry=False,
        ignore_result=False,
    )


def send_features(track_id: UUID, *, expires: float) -> AsyncResult[Any]:
    """Have the summary features of a track computed and give a handle on the end of it.

    Raises what Celery and the Redis client raise if the broker is unreachable.
    """
    return current_app.send_task(
        Task.MEASURE_FEATURES,
        (str(track_id),),
        queue=INTERACTIVE,
        expires=expires,
        retry=False,
        ignore_result=False,
    )


def has_worker(name: str = INTERACTIVE) -> bool:
    """Tell whether a worker that consumes a queue is alive; False also if the broker is unreachable."""
    try:
        with heartbeat.connect() as redis:
            return heartbeat.live_workers(redis, queue=name) > 0
    except (RedisError, OSError):
        return False


def waiting(*names: str) -> int | None:
    """Count the messages that wait for a worker, by default analyses; None if the broker is unreachable."""
    try:
        with heartbeat.connect() as redis:
            return sum(int(redis.llen(name)) for name in names or (INTERACTIVE, BULK))
    except (RedisError, OSError):
        return None
