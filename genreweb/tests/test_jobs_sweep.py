"""The sweep of jobs: rows whose message or worker was lost are sent again, three times at most."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from genreweb.jobs import Event
from genreweb.tests.job_rows import Jobs, make_row, state, with_own_connection
from library.models import Track


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


# --- the sweep -------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_row_whose_message_was_lost_is_sent_once(jobs: Jobs) -> None:
    lost, fresh = make_row(), make_row(seconds_ago=1)
    assert (jobs.sweep(), jobs.sweep()) == (1, 0)
    assert jobs.told == [lost.pk]
    assert state(fresh) == ("queued", "", 0, 0)


@pytest.mark.django_db
def test_a_silent_worker_loses_its_row_and_a_living_one_does_not(jobs: Jobs) -> None:
    silent = make_row(status="running", step="decode", attempt=1, tries=1)
    living = make_row(seconds_ago=3, status="running", step="decode", attempt=1, tries=1)
    assert jobs.sweep() == 1
    assert (state(silent), silent.step) == (("queued", "", 1, 1), "")
    assert (state(living), living.step) == (("running", "", 1, 1), "decode")
    assert jobs.events == [(silent.pk, Event.WORKER_LOST)]


@pytest.mark.django_db
def test_after_three_silent_workers_the_row_fails(jobs: Jobs) -> None:
    row = make_row(status="running", attempt=7, tries=3)
    assert jobs.sweep() == 0
    assert state(row) == ("failed", "worker_lost", 7, 3)
    assert row.finished_at is not None
    assert jobs.events == [(row.pk, Event.FAILED)]


@pytest.mark.django_db
def test_a_worker_that_comes_back_in_time_keeps_its_row(jobs: Jobs) -> None:
    row = make_row(status="running", attempt=1, tries=1)
    lost = jobs.rows().filter(pk=row.pk, status="running", heartbeat_at__lt=timezone.now())
    Track.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=1))
    assert jobs.release(lost) is None
    assert state(row) == ("running", "", 1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("messages", [None, 50, 51])
def test_nothing_is_sent_while_the_broker_is_away_or_the_queue_is_long(
    jobs: Jobs, messages: int | None
) -> None:
    make_row()
    dead = make_row(status="running", attempt=1, tries=1)
    jobs.messages = messages
    assert jobs.sweep() == 0
    assert jobs.told == []
    # What lost its worker is queued all the same.
    assert state(dead) == ("queued", "", 1, 1)


@pytest.mark.django_db
def test_the_sweep_fills_the_queue_up_with_what_waits_longest(jobs: Jobs) -> None:
    rows = [make_row(seconds_ago=60 + place) for place in range(4)]
    jobs.messages = 47
    assert jobs.sweep() == 3
    assert jobs.told == [row.pk for row in reversed(rows[1:])]


@pytest.mark.django_db
def test_what_could_not_be_sent_is_sent_by_the_next_sweep(jobs: Jobs) -> None:
    row = make_row()
    jobs.broker_is_there = False
    assert jobs.sweep() == 0
    jobs.broker_is_there = True
    assert jobs.sweep() == 1
    assert jobs.told == [row.pk]


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_release_a_row_once(jobs: Jobs) -> None:
    row = make_row(status="running", attempt=1, tries=1)
    together = threading.Barrier(2)

    def sweep() -> int:
        together.wait(30)
        return jobs.sweep()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(with_own_connection(sweep)) for _ in range(2)]:
            future.result(30)
    assert jobs.events == [(row.pk, Event.WORKER_LOST)]
    assert state(row) == ("queued", "", 1, 1)


@pytest.mark.django_db
def test_rows_from_before_the_clock_was_set_back_are_picked_up(jobs: Jobs) -> None:
    silent = make_row(seconds_ago=-3 * 86400, status="running", step="decode", attempt=1, tries=1)
    dropped = make_row(seconds_ago=-3 * 86400)
    assert jobs.sweep() == 0, "a worker that lives has time to say so"
    assert state(silent) == ("running", "", 1, 1)
    past = timezone.now() - timedelta(minutes=1)
    # What is left of them is what a minute later would be.
    assert Track.objects.filter(pk=silent.pk, heartbeat_at__lte=timezone.now()).update(heartbeat_at=past) == 1
    assert Track.objects.filter(pk=dropped.pk, queued_at__lte=timezone.now()).update(queued_at=past) == 1
    assert jobs.sweep() == 2
    assert set(jobs.told) == {silent.pk, dropped.pk}
