"""One person's many sounds wait behind what others wait for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from genreweb.accounts.models import User
from library.models import Track
from library.services import analysis, queue
from library.services.queue import BULK, INTERACTIVE, PROMPT
from library.services.tracks import add_track, analyse_again
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db

Add = Callable[[User], Track]


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The track and the queue of each message."""
    sent: list[tuple[str, str]] = []

    def put(_task: str, subject: str | int, name: str) -> bool:
        sent.append((str(subject), name))
        return True

    monkeypatch.setattr(queue, "put", put)
    monkeypatch.setattr(queue, "waiting", lambda *names: 0)
    return sent


@pytest.fixture
def add(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Add:
    seeds = iter(range(100))

    def add(owner: User) -> Track:
        file = ContentFile(wav(chords(3, seed=next(seeds))), name="a.wav")
        with django_capture_on_commit_callbacks(execute=True):
            return add_track(owner=owner, file=file, name="a.wav").track

    return add


def test_a_persons_many_tracks_wait_behind_the_first_of_others(
    owner: User,
    other: User,
    add: Add,
    queues: list[tuple[str, str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    tracks = [add(owner) for _ in range(PROMPT + 2)]
    add(other)
    assert [name for _track, name in queues] == [INTERACTIVE] * PROMPT + [BULK] * 2 + [INTERACTIVE]
    # Where messages were lost all of them wait there, for so many there are.
    queues.clear()
    Track.objects.update(queued_at=timezone.now() - timedelta(hours=1))
    analysis.sweep()
    assert {name for track, name in queues if track in {str(each.pk) for each in tracks}} == {BULK}
    assert [name for _track, name in queues].count(INTERACTIVE) == 1
    # What is done makes room.
    queues.clear()
    Track.objects.filter(owner=owner).update(status=Track.Status.FAILED, error_code="damaged")
    add(owner)
    assert queues[-1][1] == INTERACTIVE
    Track.objects.filter(pk__in=[each.pk for each in tracks[:PROMPT]]).update(status=Track.Status.QUEUED)
    with django_capture_on_commit_callbacks(execute=True):
        assert analyse_again(track=tracks[-1])
    assert queues[-1] == (str(tracks[-1].pk), BULK)
