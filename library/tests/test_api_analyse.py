"""POST /api/v1/tracks/{id}/analyse/: once more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.services.analysis import analyse_track

Make = Callable[..., Track]


@pytest.mark.parametrize("status", ["done", "failed"])
def test_a_finished_track_is_queued_and_keeps_its_verdict(
    owner_api: APIClient,
    owner: User,
    done_track: Make,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    status: str,
) -> None:
    track = done_track(owner, genre="jazz")
    Track.objects.filter(pk=track.pk).update(status=status, tries=3, error_code="internal")
    with django_capture_on_commit_callbacks() as callbacks:
        response = owner_api.post(f"/api/v1/tracks/{track.pk}/analyse/")
    assert response.status_code == 202
    assert response["Location"] == f"http://testserver/api/v1/tracks/{track.pk}/"
    body = response.json()
    assert (body["status"], body["error"], body["analysis"]["genre"]) == ("queued", None, "jazz")
    assert "duplicate" not in body
    track.refresh_from_db()
    assert (track.status, track.tries, track.error_code) == ("queued", 0, "")
    assert len(callbacks) == 1


@pytest.mark.parametrize("status", ["queued", "running"])
def test_one_that_waits_or_runs_is_left_alone(
    owner_api: APIClient,
    owner: User,
    queued_track: Make,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    status: str,
) -> None:
    track = queued_track(owner, status=status, tries=1, attempt=4)
    with django_capture_on_commit_callbacks() as callbacks:
        response = owner_api.post(f"/api/v1/tracks/{track.pk}/analyse/")
    assert (response.status_code, response.json()["status"]) == (202, status)
    track.refresh_from_db()
    assert (track.status, track.tries, track.attempt) == (status, 1, 4)
    assert callbacks == []


def test_history_is_kept(owner_api: APIClient, owner: User, finished_track: Make) -> None:
    track = finished_track(owner)
    assert owner_api.post(f"/api/v1/tracks/{track.pk}/analyse/").status_code == 202
    analyse_track(track_id=track.pk)
    body = owner_api.get(f"/api/v1/tracks/{track.pk}/").json()
    assert body["status"] == "done"
    assert Analysis.objects.filter(track=track).count() == 2


def test_needs_an_account(client: APIClient, done_track: Make) -> None:
    response = client.post(f"/api/v1/tracks/{done_track(None).pk}/analyse/")
    assert response.status_code == 401
