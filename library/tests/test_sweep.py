"""The sweeper: lost messages, dead workers, and when it gives up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from genreweb import heartbeat
from genreweb.accounts.models import User
from library.models import Track
from library.services import analysis, queue

pytestmark = pytest.mark.django_db

MakeTrack = Callable[..., Track]


@pytest.fixture(autouse=True)
def empty_queues() -> Iterator[None]:
    def clear() -> None:
        with heartbeat.connect() as redis:
            redis.delete(queue.INTERACTIVE, queue.BULK)

    clear()
    yield
    clear()


@pytest.fixture
def make_track() -> MakeTrack:
    owner = User.objects.create_user("owner@example.org", "x")

    def make(*, seconds_ago: float = 3600, **fields: object) -> Track:
        then = timezone.now() - timedelta(seconds=seconds_ago)
        values = {"status": Track.Status.QUEUED, "queued_at": then, "heartbeat_at": then, **fields}
        return Track.objects.create(
            owner=owner, title="t", sound="sounds/none.wav", sha256=uuid.uuid4().hex * 2, size=1, **values
        )

    return make


def test_a_track_whose_message_was_lost_is_sent_again(make_track: MakeTrack) -> None:
    make_track()
    assert analysis.sweep() == 1
    assert queue.waiting() == 1
    # Not once more while its new message waits.
    assert analysis.sweep() == 0
    assert queue.waiting() == 1


def test_a_track_that_was_queued_just_now_is_left_alone(make_track: MakeTrack) -> None:
    make_track(seconds_ago=1)
    assert analysis.sweep() == 0
    assert queue.waiting() == 0


def test_nothing_is_sent_again_while_the_queue_is_long(make_track: MakeTrack) -> None:
    make_track()
    with heartbeat.connect() as redis:
        redis.rpush(queue.BULK, *["message"] * 60)
    assert analysis.sweep() == 0


def test_a_track_whose_worker_died_is_picked_up(make_track: MakeTrack) -> None:
    track = make_track(status=Track.Status.RUNNING, step="decode", attempt=1, tries=1)
    assert analysis.sweep() == 1
    track.refresh_from_db()
    assert (track.status, track.step) == (Track.Status.QUEUED, "")


def test_a_track_whose_worker_lives_is_left_alone(make_track: MakeTrack) -> None:
    track = make_track(seconds_ago=3, status=Track.Status.RUNNING, attempt=1, tries=1)
    assert analysis.sweep() == 0
    track.refresh_from_db()
    assert track.status == Track.Status.RUNNING


def test_after_three_dead_workers_the_site_gives_up_and_says_so(make_track: MakeTrack) -> None:
    track = make_track(status=Track.Status.RUNNING, attempt=7, tries=3)
    assert analysis.sweep() == 0
    track.refresh_from_db()
    assert (track.status, track.error_code) == (Track.Status.FAILED, "worker_lost")
    assert track.finished_at is not None


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(make_track: MakeTrack) -> None:
    track = make_track()
    claim = analysis.JOBS.claim(track.pk)
    assert claim is not None
    Track.objects.filter(pk=track.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    analysis.sweep()
    assert claim.update(status=Track.Status.DONE) is False
    track.refresh_from_db()
    assert track.status == Track.Status.QUEUED


def test_a_track_is_claimed_once(make_track: MakeTrack) -> None:
    track = make_track()
    assert analysis.JOBS.claim(track.pk) is not None
    assert analysis.JOBS.claim(track.pk) is None
    assert analysis.JOBS.claim(uuid.uuid4()) is None
