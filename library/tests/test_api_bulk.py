"""POST /api/v1/tracks/bulk/: many tracks at once, each with its own outcome."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Analysis, Track, TrackLens
from library.services import queue
from library.tests.conftest import Api

BULK = "/api/v1/tracks/bulk/"
Make = Callable[..., Track]


def act(client: APIClient, action: str, *ids: Any) -> Any:
    return client.post(BULK, {"action": action, "ids": [str(pk) for pk in ids]}, format="json")


def outcomes(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["error"]["code"] if row["error"] else "done" for row in response.json()]


@pytest.mark.usefixtures("no_bin")
def test_ones_own_are_deleted_with_their_files(
    *,
    owner_api: APIClient,
    owner: User,
    other: User,
    done_track: Make,
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    mine = [done_track(owner), done_track(owner)]
    theirs, published = done_track(other), done_track(None)
    kept = {theirs.sound.name, published.sound.name}
    nowhere = uuid.uuid4()
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(
            owner_api, "delete", mine[0].pk, theirs.pk, nowhere, mine[1].pk, published.pk, mine[0].pk
        )
    assert outcomes(answer) == ["done", "not_found", "not_found", "done", "not_found", "done"]
    assert [row["id"] for row in answer.json()][:2] == [str(mine[0].pk), str(theirs.pk)]
    assert set(Track.objects.values_list("pk", flat=True)) == {theirs.pk, published.pk}
    assert kept <= set(stored())
    assert not {track.sound.name for track in mine} & set(stored())
    assert Analysis.objects.count() == 2
    assert outcomes(act(owner_api, "delete", mine[0].pk)) == ["not_found"]


def test_many_are_analysed_again_behind_what_people_wait_for(
    *,
    owner_api: APIClient,
    owner: User,
    other: User,
    done_track: Make,
    queued_track: Make,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[tuple[Any, bool]] = []
    monkeypatch.setattr(queue, "send", lambda pk, *, bulk: sent.append((pk, bulk)))
    done, theirs = done_track(owner), done_track(other)
    failed = queued_track(owner, status="failed", error_code="internal")
    running = queued_track(owner, status="running")
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(owner_api, "analyse", done.pk, failed.pk, running.pk, theirs.pk)
    assert outcomes(answer) == ["done", "done", "done", "not_found"]
    assert sorted(sent) == sorted([(done.pk, True), (failed.pk, True)])
    statuses = dict(Track.objects.values_list("pk", "status"))
    assert statuses == {done.pk: "queued", failed.pk: "queued", running.pk: "running", theirs.pk: "done"}
    with django_capture_on_commit_callbacks(execute=True):
        assert outcomes(act(owner_api, "analyse", done.pk)) == ["done"]
    assert len(sent) == 2


def test_curators_publish_their_own(
    api: Api, owner: User, curator: User, anonymous: Any, done_track: Make
) -> None:
    mine, theirs = done_track(curator, lenses={"sound": 10.0}), done_track(owner)
    client = api(curator)
    assert outcomes(act(client, "publish", mine.pk, theirs.pk)) == ["done", "not_found"]
    assert list(Track.objects.visible_to(anonymous)) == [mine]
    assert set(TrackLens.objects.filter(track=mine).values_list("public", flat=True)) == {True}
    assert outcomes(act(client, "unpublish", mine.pk)) == ["done"]
    assert not Track.objects.visible_to(anonymous).exists()
    assert set(TrackLens.objects.values_list("public", flat=True)) == {False}
    refused = act(api(owner), "publish", theirs.pk)
    assert (refused.status_code, refused.json()["code"]) == (403, "curators_only")
    theirs.refresh_from_db()
    assert theirs.visibility == "private"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "delete"},
        {"action": "delete", "ids": []},
        {"action": "burn", "ids": [str(uuid.UUID(int=1))]},
        {"action": "delete", "ids": ["1"]},
        {"action": "delete", "ids": "all"},
        {"action": "delete", "ids": [str(uuid.UUID(int=n)) for n in range(501)]},
    ],
)
def test_what_is_no_such_request(owner_api: APIClient, owner: User, done_track: Make, body: Any) -> None:
    done_track(owner)
    assert owner_api.post(BULK, body, format="json").status_code == 400
    assert Track.objects.exists()


def test_without_an_account_nothing_is_done(owner: User, done_track: Make) -> None:
    assert act(APIClient(), "delete", done_track(owner).pk).status_code == 401
    assert Track.objects.exists()


def test_many_cost_few_queries(
    owner_api: APIClient, owner: User, done_track: Make, django_assert_max_num_queries: Any
) -> None:
    ids = [done_track(owner).pk for _ in range(8)]
    with django_assert_max_num_queries(12):
        assert outcomes(act(owner_api, "analyse", *ids)) == ["done"] * 8
