"""Tell the workers that a track waits. The row is the truth; a message only hurries things along."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from genreweb import heartbeat

log = logging.getLogger(__name__)

INTERACTIVE = "analysis"
BULK = "bulk"


def send(track_id: UUID, *, bulk: bool) -> bool:
    """Put a track on the queue; False where the broker is away, and then the sweeper will."""
    from library.tasks import analyse_track

    return put(analyse_track, str(track_id), BULK if bulk else INTERACTIVE)


def send_on_commit(track_id: UUID, *, bulk: bool) -> None:
    """Put a track on the queue once its row is committed."""
    transaction.on_commit(lambda: send(track_id, bulk=bulk), robust=True)


def send_explanation(pk: int) -> bool:
    """Put an explanation on the queue, where people wait for it; False where the broker is away."""
    from library.tasks import explain

    return put(explain, pk, INTERACTIVE)


def send_explanation_on_commit(pk: int) -> None:
    """Put an explanation on the queue once its row is committed."""
    transaction.on_commit(lambda: send_explanation(pk), robust=True)


def put(task: Task[..., None], subject: str | int, name: str) -> bool:
    """Tell the workers of one queue to run `task` on `subject`; False where the broker is away."""
    try:
        task.apply_async((subject,), queue=name, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("%s %s waits for the sweeper: the broker is away (%s)", task.name, subject, error)
        return False
    return True


def has_worker(name: str = INTERACTIVE) -> bool:
    """Tell whether a worker that empties a queue is alive; False too where the broker is away."""
    try:
        with heartbeat.connect() as redis:
            return heartbeat.live_workers(redis, queue=name) > 0
    except (RedisError, OSError):
        return False


def waiting(*names: str) -> int | None:
    """Count the messages that no worker has taken yet, by default analyses; None where the broker is away."""
    try:
        with heartbeat.connect() as redis:
            return sum(int(redis.llen(name)) for name in names or (INTERACTIVE, BULK))
    except (RedisError, OSError):
        return None
