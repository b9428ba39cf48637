"""GET, PATCH and DELETE /api/v1/tracks/{id}/: one track, and who may do what with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.tests.conftest import LABELS, Api, Matrix

Make = Callable[..., Track]


def address(track: Track, what: str = "") -> str:
    return f"/api/v1/tracks/{track.pk}/{what}"


def test_a_finished_track(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="Blue", genre="blues", confidence=0.82)
    response = owner_api.get(address(track))
    assert response.status_code == 200
    body = response.json()
    assert {key: body[key] for key in ("id", "title", "status", "error", "duration")} == {
        "id": str(track.pk),
        "title": "Blue",
        "status": "done",
        "error": None,
        "duration": 3.0,
    }
    analysis = body["analysis"]
    assert (analysis["genre"], analysis["confidence"], analysis["unsure"]) == ("blues", 0.82, False)
    assert list(analysis["probabilities"]) == LABELS
    assert sum(analysis["probabilities"].values()) == pytest.approx(1)
    assert [(part["start"], part["end"]) for part in analysis["timeline"]] == [(0.0, 1.5), (1.5, 3.0)]
    assert list(analysis["timeline"][0]["probabilities"]) == LABELS
    assert analysis["model_version"] == "test"


@pytest.mark.slow
def test_a_real_one(owner_api: APIClient, owner: User, finished_track: Make) -> None:
    track = finished_track(owner)
    body = owner_api.get(address(track)).json()
    assert (body["status"], body["error"]) == ("done", None)
    assert body["duration"] == pytest.approx(3.0, abs=0.01)
    analysis = body["analysis"]
    assert sum(analysis["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert analysis["timeline"][0]["start"] == 0
    assert analysis["timeline"][-1]["end"] == pytest.approx(3.0, abs=0.01)
    assert analysis["model_version"] == ModelVersion.objects.get(is_in_service=True).name


def test_a_waiting_and_a_running_track(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    waiting = owner_api.get(address(queued_track(owner))).json()
    assert (waiting["status"], waiting["step"], waiting["analysis"]) == ("queued", None, None)
    running = owner_api.get(address(queued_track(owner, status="running", step="classify"))).json()
    assert (running["status"], running["step"], running["error"]) == ("running", "classify", None)


def test_a_failed_track_says_why(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    track = queued_track(owner, status="failed", error_code="too_short", error_params={"minimum": 1.0})
    body = owner_api.get(address(track)).json()
    assert body["status"] == "failed"
    assert body["error"]["code"] == "too_short"
    assert "1 s" in body["error"]["message"]
    korean = owner_api.get(address(track), headers={"Accept-Language": "ko"})
    assert korean["Content-Language"] == "ko"


def test_no_music_is_no_genre(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, genre="", confidence=0.1, unsure=True)
    analysis = owner_api.get(address(track)).json()["analysis"]
    assert (analysis["genre"], analysis["music"], analysis["unsure"]) == (None, False, True)


def test_a_newer_version_makes_a_verdict_stale(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    ModelVersion.objects.update(is_in_service=False)
    assert owner_api.get(address(track)).json()["analysis"]["stale"] is True


def test_private_tracks_are_nobody_elses(
    matrix: Matrix, api: Api, done_track: Make, stored: Callable[[], list[str]]
) -> None:
    track = done_track(matrix.owner, title="mine")
    files = stored()
    for person in matrix.strangers:
        client = api(person)
        answers = [
            client.get(address(track)),
            client.patch(address(track), {"title": "theirs"}),
            client.delete(address(track)),
            client.post(address(track, "analyse/")),
            client.get(address(track, "similar/")),
            client.get(address(track, "pictures/")),
        ]
        assert [answer.status_code for answer in answers] == [404] * 6
        assert {answer.json()["error"]["code"] for answer in answers} == {"not_found"}
        # Indistinguishable from one that never existed.
        never = client.get(f"/api/v1/tracks/{uuid.uuid4()}/")
        assert never.json() == answers[0].json()
    anonymous = api(matrix.anonymous)
    assert anonymous.get(address(track)).status_code == 404
    assert anonymous.patch(address(track), {"title": "x"}).status_code == 401
    assert anonymous.delete(address(track)).status_code == 401
    track.refresh_from_db()
    assert (track.title, track.status, stored()) == ("mine", "done", files)


@pytest.mark.slow
def test_catalogue_tracks_are_everybodys_to_read(matrix: Matrix, api: Api, done_track: Make) -> None:
    imported = done_track(None, title="imported", original_name="secret.wav")
    published = done_track(matrix.owner, title="published", visibility="catalogue")
    for track in (imported, published):
        for person in matrix.public:
            body = api(person).get(address(track)).json()
            assert (body["title"], body["mine"], body["file_name"]) == (track.title, False, None)
        for person in matrix.strangers:
            client = api(person)
            answers = [
                client.patch(address(track), {"title": "theirs"}),
                client.delete(address(track)),
                client.post(address(track, "analyse/")),
            ]
            assert [answer.status_code for answer in answers] == [403] * 3
            assert {answer.json()["error"]["code"] for answer in answers} == {"permission_denied"}
        assert api(matrix.anonymous).delete(address(track)).status_code == 401
    assert Track.objects.filter(status="done").count() == 2
    assert api(matrix.owner).get(address(published)).json()["mine"] is True


def test_rename(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="old")
    response = owner_api.patch(address(track), {"title": " new\n name ", "status": "failed", "owner": None})
    assert response.status_code == 200
    assert response.json()["title"] == "new name"
    assert response.json()["analysis"]["timeline"]
    track.refresh_from_db()
    assert (track.title, track.status, track.owner) == ("new name", "done", owner)


@pytest.mark.parametrize(
    "body", [{}, {"title": ""}, {"title": " \u200b "}, {"title": "x" * 201}, {"title": None}]
)
def test_a_title_that_is_none(
    owner_api: APIClient, owner: User, done_track: Make, body: dict[str, str | None]
) -> None:
    track = done_track(owner, title="old")
    response = owner_api.patch(address(track), body)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["title"]
    track.refresh_from_db()
    assert track.title == "old"


@pytest.mark.parametrize("body", ["{", "[1]", '"title"', "title=new"])
def test_a_body_that_is_none(owner_api: APIClient, owner: User, done_track: Make, body: str) -> None:
    response = owner_api.generic("PATCH", address(done_track(owner)), body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["error"]["message"] == response.json()["detail"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_bin")
def test_delete_leaves_nothing(
    owner_api: APIClient,
    owner: User,
    finished_track: Make,
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    kept, gone = finished_track(owner, seed=1), finished_track(owner, seed=2)
    keys = [str(gone.sound.name), *(str(file.name) for file in Analysis.objects.get(track=gone).files)]
    assert all(default_storage.exists(key) for key in keys)
    with django_capture_on_commit_callbacks(execute=True):
        response = owner_api.delete(address(gone))
    assert (response.status_code, response.content) == (204, b"")
    assert [str(track.pk) for track in Track.objects.all()] == [str(kept.pk)]
    assert Analysis.objects.get().track == kept
    assert not any(default_storage.exists(key) for key in keys)
    assert len(stored()) == 5
    assert owner_api.delete(address(gone)).status_code == 404


def test_put_is_not_a_way_to_change_a_track(owner_api: APIClient, owner: User, done_track: Make) -> None:
    response = owner_api.put(address(done_track(owner)), {"title": "new"})
    assert response.status_code == 405
    assert response["Allow"] == "GET, PATCH, DELETE, HEAD, OPTIONS"
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_a_browser_must_show_that_it_means_it(owner: User, done_track: Make) -> None:
    track = done_track(owner)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    assert browser.get(address(track)).status_code == 200
    refused = browser.delete(address(track))
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission_denied"
    assert Track.objects.filter(pk=track.pk).exists()


def test_one_track_is_one_query(
    api: Api, owner: User, done_track: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    track, client = done_track(owner), api(owner)
    client.get(address(track))
    with django_assert_num_queries(2):  # the token and the track
        client.get(address(track))
