"""Rows of a real table that are jobs, with a broker that a test can break."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import connections
from django.utils import timezone

from genreweb.accounts.models import User
from genreweb.jobs import Claim, Event, JobTable
from library.models import Track

T = TypeVar("T")


class Jobs(JobTable[Claim[Track]]):
    """Jobs of a real table, with a broker that a test can break."""

    model = Track
    released = {"step": ""}

    def __init__(self) -> None:
        self.messages: int | None = 0
        self.broker_is_there = True
        self.told: list[uuid.UUID] = []
        self.events: list[tuple[uuid.UUID, Event]] = []

    def send(self, row: Track) -> bool:
        if self.broker_is_there:
            self.told.append(row.pk)
        return self.broker_is_there

    def messages_waiting(self) -> int | None:
        return self.messages

    def note(self, pk: uuid.UUID, event: Event) -> None:
        self.events.append((pk, event))


def make_row(*, seconds_ago: float = 3600, **fields: object) -> Track:
    owner, _made = User.objects.get_or_create(email="owner@example.org")
    then = timezone.now() - timedelta(seconds=seconds_ago)
    values = {"status": "queued", "queued_at": then, "heartbeat_at": then, **fields}
    return Track.objects.create(
        owner=owner, title="t", sound="sounds/none.wav", sha256=uuid.uuid4().hex * 2, size=1, **values
    )


def state(row: Track) -> tuple[str, str, int, int]:
    row.refresh_from_db()
    return row.status, row.error_code, row.attempt, row.tries


def wait_for(condition: Callable[[], object], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def with_own_connection(call: Callable[[], T]) -> Callable[[], T]:
    """Let a thread call something, and close the connection that it opened."""

    def run() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    return run
