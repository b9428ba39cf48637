"""The life of a row that is a job: claimed once, alive while its worker is, tried again, swept up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as live_settings
from django.db import connection, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from genreweb.domain_errors import DomainError
from genreweb.jobs import Claim, ClaimLostError, Event, Failure
from genreweb.tests.job_rows import Jobs, make_row, state, wait_for, with_own_connection
from library.models import Track


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


# --- claiming --------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_of_many_connections_that_claim_at_once_one_gets_the_row(jobs: Jobs) -> None:
    workers, rows = 6, [make_row() for _ in range(10)]
    together = threading.Barrier(workers)

    def claim_all() -> list[Claim[Track] | None]:
        claims = []
        for row in rows:
            together.wait(30)
            claims.append(jobs.claim(row.pk))
        return claims

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(with_own_connection(claim_all)) for _ in range(workers)]
        found = [future.result() for future in futures]
    for place, row in enumerate(rows):
        [won] = [claims[place] for claims in found if claims[place] is not None]
        assert won is not None
        assert (won.row.pk, won.attempt) == (row.pk, 1)
        assert state(row) == ("running", "", 1, 1)


@pytest.mark.django_db
def test_a_claim_takes_only_what_waits(jobs: Jobs) -> None:
    assert jobs.claim(uuid.uuid4()) is None
    over = make_row(status="failed", error_code="silent")
    assert jobs.claim(over.pk) is None
    assert state(over) == ("failed", "silent", 0, 0)


@pytest.mark.django_db
def test_a_claim_starts_the_row_afresh_and_shows_a_living_worker(jobs: Jobs) -> None:
    row = make_row(error_code="internal", error_params={"a": 1}, attempt=4, tries=1)
    claim = jobs.claim(row.pk)
    assert claim is not None
    assert state(row) == ("running", "", 5, 2)
    assert claim.attempt == 5
    assert row.error_params == {}
    assert row.heartbeat_at is not None
    assert timezone.now() - row.heartbeat_at < timedelta(seconds=10)


# --- a claim ---------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_who_lost_the_claim_changes_nothing(jobs: Jobs) -> None:
    row = make_row()
    old = jobs.claim(row.pk)
    assert old is not None
    Track.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    jobs.sweep()
    new = jobs.claim(row.pk)
    assert new is not None
    assert old.update(step="save") is False
    for write in (old.must_update, old.progress, old.lock):
        with pytest.raises(ClaimLostError):
            write()
    assert jobs.fail(old, Failure("internal")) is False
    jobs.put_back(old, Failure("internal", may_pass=True))
    assert state(row) == ("running", "", 2, 2)
    assert row.step == ""
    assert new.update(step="save") is True
    row.refresh_from_db()
    assert row.step == "save"


@pytest.mark.django_db(transaction=True)
def test_who_finishes_under_the_lock_is_not_swept_away(jobs: Jobs) -> None:
    row = make_row()
    claim = jobs.claim(row.pk)
    assert claim is not None
    Track.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            claim.lock()
            swept = pool.submit(with_own_connection(jobs.sweep))
            wait_for(somebody_waits_for_a_lock)
            claim.must_update(status="failed", error_code="too_long")
        assert swept.result(30) == 0
    assert state(row) == ("failed", "too_long", 1, 1)
    assert jobs.events == []


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL shows the activity of the first look again.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


# --- the heartbeat ---------------------------------------------------------------------------------------
def beats(row: Track) -> Callable[[], bool]:
    """Give a function that says whether the row's heartbeat has moved on from now."""
    row.refresh_from_db()
    before = row.heartbeat_at

    def moved() -> bool:
        row.refresh_from_db()
        return row.heartbeat_at != before

    return moved


@pytest.mark.django_db(transaction=True)
def test_the_row_heartbeat_goes_on_while_the_work_does(jobs: Jobs, settings: Settings) -> None:
    settings.ANALYSIS_HEARTBEAT_SECONDS = 0.02
    claim = jobs.claim(make_row().pk)
    assert claim is not None
    with claim.row_heartbeat():
        wait_for(beats(claim.row))
        wait_for(beats(claim.row))
    moved = beats(claim.row)
    time.sleep(0.2)
    assert not moved()


@pytest.mark.django_db(transaction=True)
def test_the_row_heartbeat_goes_on_after_the_database_dropped_its_connection(
    jobs: Jobs, settings: Settings
) -> None:
    settings.ANALYSIS_HEARTBEAT_SECONDS = 0.05
    claim = jobs.claim(make_row().pk)
    assert claim is not None
    with claim.row_heartbeat():
        wait_for(beats(claim.row))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] > 0
        wait_for(beats(claim.row))


@pytest.mark.django_db(transaction=True)
def test_the_row_heartbeat_of_a_lost_claim_stops(jobs: Jobs, settings: Settings) -> None:
    settings.ANALYSIS_HEARTBEAT_SECONDS = 0.02
    claim = jobs.claim(make_row().pk)
    assert claim is not None
    with claim.row_heartbeat():
        name = f"heartbeat-{claim.row.pk}"
        assert name in {thread.name for thread in threading.enumerate()}
        Track.objects.filter(pk=claim.row.pk).update(attempt=7)
        wait_for(lambda: name not in {thread.name for thread in threading.enumerate()})


WORKER = """
import sys, time, uuid
import django
django.setup()
from genreweb.jobs import Claim, JobTable
from library.models import Track

class Jobs(JobTable[Claim]):
    model = Track

def work(claim):
    print("working", flush=True)
    time.sleep(120)

Jobs().process(uuid.UUID(sys.argv[1]), work)
"""


@pytest.fixture
def worker() -> Iterator[Callable[[Track], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(row: Track) -> subprocess.Popen[str]:
        database = connection.settings_dict
        host = database["OPTIONS"].get("host") or database["HOST"]
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(row.pk)],
            cwd=live_settings.BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "genreweb.settings",
                "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={host}",
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_row_of_a_killed_worker_is_given_to_another_one(
    jobs: Jobs, settings: Settings, worker: Callable[[Track], subprocess.Popen[str]]
) -> None:
    row = make_row()
    process = worker(row)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    # Its heartbeat comes every five seconds, as on a site, and the sweep leaves the row alone.
    wait_for(beats(row))
    assert jobs.sweep() == 0
    assert state(row) == ("running", "", 1, 1)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    settings.ANALYSIS_LOST_AFTER_SECONDS = 1
    time.sleep(1.5)
    assert jobs.sweep() == 1
    assert (jobs.told, jobs.events) == ([row.pk], [(row.pk, Event.WORKER_LOST)])
    assert state(row) == ("queued", "", 1, 1)
    again = jobs.claim(row.pk)
    assert again is not None
    assert again.attempt == 2


# --- work that fails -------------------------------------------------------------------------------------
class RefusalError(DomainError):
    refusals = {"too_odd": "This is too odd: {how}."}


@pytest.mark.django_db
def test_work_that_is_done_is_left_as_it_is(jobs: Jobs) -> None:
    row = make_row()
    assert jobs.process(row.pk, lambda claim: claim.must_update(status="failed", error_code="own")) is True
    assert state(row) == ("failed", "own", 1, 1)
    assert jobs.events == []
    assert jobs.process(row.pk, lambda _claim: pytest.fail("nothing waits")) is False


@pytest.mark.django_db
def test_a_refusal_ends_the_row_at_once_with_its_reason(jobs: Jobs) -> None:
    row = make_row(step="decode")

    def work(_claim: Claim[Track]) -> None:
        raise RefusalError("too_odd", {"how": "very"})

    assert jobs.process(row.pk, work) is True
    assert state(row) == ("failed", "too_odd", 1, 1)
    assert (row.step, row.error_params) == ("", {"how": "very"})
    assert row.finished_at is not None
    assert jobs.events == [(row.pk, Event.FAILED)]


@pytest.mark.django_db
def test_a_fault_that_may_pass_is_tried_three_times(jobs: Jobs) -> None:
    row = make_row()

    def work(_claim: Claim[Track]) -> None:
        raise RuntimeError("a fault of ours")

    seen = []
    for _ in range(3):
        assert jobs.process(row.pk, work) is True
        seen.append(state(row))
    assert seen == [("queued", "", 1, 1), ("queued", "", 2, 2), ("failed", "internal", 3, 3)]
    assert [event for _pk, event in jobs.events] == [Event.RETRIED, Event.RETRIED, Event.FAILED]


@pytest.mark.django_db
def test_work_whose_claim_is_lost_leaves_the_row_to_its_new_holder(jobs: Jobs) -> None:
    row = make_row()

    def work(claim: Claim[Track]) -> None:
        Track.objects.filter(pk=row.pk).update(attempt=9)
        claim.progress()

    assert jobs.process(row.pk, work) is False
    assert state(row) == ("running", "", 9, 1)

    def fail_without_noticing(claim: Claim[Track]) -> None:
        Track.objects.filter(pk=row.pk).delete()
        raise RuntimeError("the file is gone")

    Track.objects.filter(pk=row.pk).update(status="queued")
    assert jobs.process(row.pk, fail_without_noticing) is True
    assert not Track.objects.exists()
    assert jobs.events == []


@pytest.mark.django_db
def test_a_row_does_not_change_without_its_note(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(pk: uuid.UUID, event: Event) -> None:
        raise RuntimeError("no room for the note")

    monkeypatch.setattr(jobs, "note", broken)
    row = make_row()
    claim = jobs.claim(row.pk)
    assert claim is not None
    for end in (jobs.fail, jobs.put_back):
        with pytest.raises(RuntimeError):
            end(claim, Failure("internal"))
        assert state(row) == ("running", "", 1, 1)
