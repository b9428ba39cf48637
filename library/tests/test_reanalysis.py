"""Re-analysis of many tracks by the version in service: queued in batches, paused, stopped, compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from django.test import Client, TestCase
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.models import ModelVersion
from genreweb import event_stream, heartbeat
from genreweb.accounts.models import User
from library.models import Analysis, Reanalysis, Track
from library.services import events, queue
from library.services import reanalysis as service
from library.tests.conftest import Api, Matrix

pytestmark = pytest.mark.django_db

Scope, Status = Reanalysis.Scope, Reanalysis.Status


@pytest.fixture(autouse=True)
def empty_queues() -> Iterator[None]:
    def clear() -> None:
        with heartbeat.connect() as redis:
            redis.delete(queue.INTERACTIVE, queue.BULK)

    clear()
    yield
    clear()


@pytest.fixture
def promoted(version: ModelVersion) -> Callable[[], ModelVersion]:
    """Put a newer version into service, so that earlier analyses are outdated."""

    def promote() -> ModelVersion:
        ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
        return ModelVersion.objects.create(
            **{
                **{
                    name: getattr(version, name)
                    for name in ("source", "location", "labels", "feature_version", "metadata")
                },
                "name": f"newer {ModelVersion.objects.count()}",
                "sha256": "f" * 64,
                "is_in_service": True,
            }
        )

    return promote


def reanalyse(track: Track, version: ModelVersion, genre: str) -> None:
    """Store an analysis as a worker does, without a classifier."""
    old = Analysis.objects.get(pk=Track.objects.get(pk=track.pk).current_id or 0)
    old.pk, old.genre, old.model_version = None, genre, version
    old._state.adding = True
    old.save()
    Track.objects.filter(pk=track.pk).update(status=Track.Status.DONE, current=old)


def statuses() -> list[str]:
    return sorted(Track.objects.values_list("status", flat=True))


def test_outdated_tracks_are_fed_to_the_workers_and_the_end_is_noticed(
    owner: User,
    other: User,
    done_track: Callable[..., Track],
    promoted: Callable[[], ModelVersion],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    tracks = [done_track(owner, angle=float(n)) for n in range(3)]
    done_track(other)
    newer = promoted()
    with patch.object(service, "LOT", 2):
        with django_capture_on_commit_callbacks(execute=True):
            job, begun = service.request(by=owner, scope=Scope.MINE)
        assert begun
        assert statuses() == ["done", "done", "queued", "queued"]
        with heartbeat.connect() as redis:
            assert redis.llen(queue.BULK) == 2
        assert service.advance(job_id=job.pk) == 0
        for track in Track.objects.filter(status=Track.Status.QUEUED):
            reanalyse(track, newer, "rock")
        assert service.advance(job_id=job.pk) == 1
    assert (service.progress(job).done, service.progress(job).total) == (2, 3)
    (last,) = Track.objects.filter(status=Track.Status.QUEUED)
    before = Analysis.objects.get(pk=last.current_id or 0).genre
    reanalyse(last, newer, before)
    service.sweep()
    job.refresh_from_db()
    assert job.status == Status.DONE
    assert job.finished_at is not None
    assert service.progress(job).done == 3
    assert service.progress(job).changed == len(service.changes(job, most=9)) == 2
    assert {
        change.track.current.genre for change in service.changes(job, most=9) if change.track.current
    } == {"rock"}
    assert all(change.before.genre == before for change in service.changes(job, most=9))
    # The old verdicts are still there.
    assert all(track.analyses.count() == 2 for track in tracks)


def test_a_second_request_gives_the_first(
    owner: User, done_track: Callable[..., Track], promoted: Callable[[], ModelVersion]
) -> None:
    done_track(owner)
    promoted()
    first, _begun = service.request(by=owner, scope=Scope.MINE)
    again, begun = service.request(by=owner, scope=Scope.MINE)
    assert (again.pk, begun) == (first.pk, False)
    assert Reanalysis.objects.count() == 1


def test_nothing_outdated_is_said(
    owner: User, owner_api: object, done_track: Callable[..., Track], api: Api
) -> None:
    done_track(owner)
    answer = api(owner).post("/api/v1/reanalyses/", {"scope": "mine"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "nothing_outdated"
    assert not Reanalysis.objects.exists()


def test_pause_holds_and_cancel_ends(
    owner: User,
    done_track: Callable[..., Track],
    promoted: Callable[[], ModelVersion],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for n in range(2):
        done_track(owner, angle=float(n))
    promoted()
    job, _begun = service.request(by=owner, scope=Scope.MINE)
    service.pause(job=job)
    service.sweep()
    assert statuses() == ["done", "done"]
    with django_capture_on_commit_callbacks(execute=True):
        service.resume(job=job)
    assert statuses() == ["queued", "queued"]
    service.cancel(job=job)
    service.resume(job=job)
    assert job.status == Status.CANCELLED
    # Another one may begin now.
    assert service.request(by=owner, scope=Scope.MINE)[1]


def test_a_track_that_fails_does_not_come_back_for_ever(
    owner: User, done_track: Callable[..., Track], promoted: Callable[[], ModelVersion]
) -> None:
    track = done_track(owner)
    promoted()
    job, _begun = service.request(by=owner, scope=Scope.MINE)
    service.advance(job_id=job.pk)
    from django.utils import timezone

    Track.objects.filter(pk=track.pk).update(
        status=Track.Status.FAILED, error_code="file_missing", finished_at=timezone.now()
    )
    service.sweep()
    job.refresh_from_db()
    assert job.status == Status.DONE
    assert (service.progress(job).failed, service.progress(job).done) == (1, 1)


def test_a_reanalysis_sends_events_to_those_who_may_see_it(
    matrix: Matrix,
    done_track: Callable[..., Track],
    promoted: Callable[[], ModelVersion],
) -> None:
    mine = done_track(matrix.owner)
    done_track(matrix.other)
    public = done_track(None, visibility=Track.Visibility.CATALOGUE, catalogue_key="x")
    newer = promoted()
    topics = [*(event_stream.topic_of(user.pk) for user in (matrix.owner, matrix.other, matrix.curator))]
    topics.append(event_stream.CURATORS)

    def end(track: Track) -> None:
        reanalyse(track, newer, "rock")
        track.refresh_from_db()
        assert track.current is not None
        events.track_analysed(track, track.current)

    with heartbeat.connect() as client:
        start = event_stream.last(client, topics)
        with TestCase.captureOnCommitCallbacks(execute=True):
            own, _begun = service.request(by=matrix.owner, scope=Scope.MINE)
            all_, _begun = service.request(by=matrix.curator, scope=Scope.CATALOGUE)
        for track, job in ((mine, own), (public, all_)):
            with TestCase.captureOnCommitCallbacks(execute=True):
                service.pause(job=job)
                service.resume(job=job)
                end(track)
        with TestCase.captureOnCommitCallbacks(execute=True):
            service.sweep()
        sent = {
            topic: [
                json.loads(lines[2].removeprefix("data: "))
                for event in event_stream.since(client, [topic], start)
                if (lines := event.text.splitlines())[1] == "event: reanalysis"
            ]
            for topic in topics
        }

    def expected(job: Reanalysis) -> list[dict[str, object]]:
        states = ("running", "paused", "running", "running", "done")
        return [{"id": job.pk, "scope": job.scope, "status": status} for status in states]

    owner, other, curator, curators = topics
    assert sent == {owner: expected(own), other: [], curator: [], curators: expected(all_)}


@pytest.mark.slow
def test_roles(
    matrix: Matrix,
    done_track: Callable[..., Track],
    promoted: Callable[[], ModelVersion],
    api: Api,
    client: Client,
) -> None:
    done_track(matrix.owner)
    done_track(None, visibility=Track.Visibility.CATALOGUE, catalogue_key="x")
    promoted()
    assert api(matrix.anonymous).post("/api/v1/reanalyses/", {"scope": "mine"}).status_code == 401
    assert api(matrix.owner).post("/api/v1/reanalyses/", {"scope": "catalogue"}).status_code == 404
    assert api(matrix.owner).post("/api/v1/reanalyses/", {"scope": "everything"}).status_code == 400
    mine = api(matrix.owner).post("/api/v1/reanalyses/", {"scope": "mine"})
    assert mine.status_code == 202
    assert mine.json()["progress"]["total"] == 1
    public = api(matrix.curator).post("/api/v1/reanalyses/", {"scope": "catalogue"})
    assert public.status_code == 202
    assert api(matrix.staff).post("/api/v1/reanalyses/", {"scope": "catalogue"}).status_code == 200
    for person, ids in (
        (matrix.owner, {mine.json()["id"]}),
        (matrix.other, set()),
        (matrix.curator, {public.json()["id"]}),
    ):
        assert {row["id"] for row in api(person).get("/api/v1/reanalyses/").json()["results"]} == ids
    for person, status in ((matrix.owner, 200), (matrix.other, 404), (matrix.curator, 404)):
        address = f"/api/v1/reanalyses/{mine.json()['id']}/"
        assert api(person).get(address).status_code == status
        assert api(person).post(f"{address}steer/", {"act": "pause"}).status_code == status
        client.force_login(person)
        assert client.get(reverse("library:reanalysis", args=[mine.json()["id"]])).status_code == status
    assert Reanalysis.objects.get(pk=mine.json()["id"]).status == Status.PAUSED
    assert (
        api(matrix.owner).post(f"/api/v1/reanalyses/{mine.json()['id']}/steer/", {"act": "x"}).status_code
        == 400
    )


def test_the_history_offers_it_shows_progress_and_the_page_lists_what_changed(
    owner: User, done_track: Callable[..., Track], promoted: Callable[[], ModelVersion], client: Client
) -> None:
    track = done_track(owner)
    client.force_login(owner)
    history = reverse("library:history")
    begin = reverse("library:reanalysis-begin", args=["mine"])
    assert begin not in client.get(history).content.decode()
    newer = promoted()
    assert begin in client.get(history).content.decode()
    card = client.post(begin, headers={"HX-Request": "true"}).content.decode()
    assert 'max="1" value="0"' in card
    (job,) = Reanalysis.objects.all()
    # Asked for again when something happened to it; without events, now and then.
    assert f'data-live="reanalysis" data-live-key="{job.pk}" data-live-every="3000"' in card
    reanalyse(track, newer, "metal")
    assert (
        'max="1" value="1"' in client.get(reverse("library:reanalysis-watch", args=["mine"])).content.decode()
    )
    service.sweep()
    page = client.get(reverse("library:reanalysis", args=[job.pk])).content.decode()
    assert track.title in page
    assert "Metal" in page
    details = client.get(reverse("library:track", args=[track.pk])).content.decode()
    assert "another genre than now" in details
    assert client.post(reverse("library:reanalysis-begin", args=["catalogue"])).status_code == 404
