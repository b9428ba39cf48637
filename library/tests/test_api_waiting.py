"""Prefer: wait=N, as RFC 7240 writes it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from genreweb.accounts.models import User
from library.api import preferences
from library.api.preferences import wait_preference, wait_until_finished
from library.models import Track

Make = Callable[..., Track]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=30", 30),
        ("Wait = 5", 5),
        ("respond-async, wait=10", 10),
        ("wait=10; unit=s, handling=lenient", 10),
        ('wait="7"', 7),
        ("wait=0", 0),
        ("wait=100000", 60),
        ("wait=3, wait=9", 3),
        ("", None),
        ("respond-async", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait=1.5", None),
        ("wait=٣", None),
        ("await=3", None),
    ],
)
def test_the_header(header: str, seconds: int | None) -> None:
    assert wait_preference(header) == seconds


@pytest.mark.parametrize("status", ["done", "failed"])
def test_a_finished_track_is_not_waited_for(owner: User, done_track: Make, status: str) -> None:
    track = done_track(owner)
    Track.objects.filter(pk=track.pk).update(status=status)
    with CaptureQueriesContext(connection) as queries:
        assert wait_until_finished(track.pk, seconds=60)
    assert len(queries) == 1


def test_a_track_that_is_gone_is_not_waited_for(db: None) -> None:
    assert wait_until_finished(uuid.uuid4(), seconds=60)


def test_waiting_ends(owner: User, queued_track: Make) -> None:
    track = queued_track(owner)
    with CaptureQueriesContext(connection) as queries:
        assert not wait_until_finished(track.pk, seconds=0.2)
    # Asked more than once, but no oftener than the first pause allows.
    assert 2 <= len(queries) <= 1 + 0.2 / 0.03


def test_a_waiting_request_gets_the_finished_track(
    transactional_db: None, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    Track.objects.filter(pk=track.pk).update(status="running")
    asked = threading.Event()

    def finish() -> None:
        asked.wait(10)
        Track.objects.filter(pk=track.pk).update(status="done")
        connection.close()

    worker = threading.Thread(target=finish)
    worker.start()
    threading.Timer(0.1, asked.set).start()
    assert wait_until_finished(track.pk, seconds=30)
    worker.join()


def test_not_everybody_may_wait_at_once(
    owner: User, queued_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preferences, "_places", threading.BoundedSemaphore(1))
    track = queued_track(owner)
    with preferences._places, CaptureQueriesContext(connection) as queries:
        assert not wait_until_finished(track.pk, seconds=60)
    assert len(queries) == 0
    Track.objects.filter(pk=track.pk).update(status="failed")
    assert wait_until_finished(track.pk, seconds=60)
