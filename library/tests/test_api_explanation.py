"""GET and POST /api/v1/tracks/{id}/explanation/."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.test import Client
from PIL import Image
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Analysis, Explanation, Track
from library.services.explanations import explain
from library.tests.conftest import Api, Matrix
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


def address(track: Track) -> str:
    return f"/api/v1/tracks/{track.pk}/explanation/"


@pytest.mark.slow
def test_asked_for_worked_out_and_read(
    owner_api: APIClient,
    owner: User,
    finished_track: Make,
    client: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    track = finished_track(owner, sound=wav(chords(8, seed=1)))
    Analysis.objects.update(genre="jazz")
    link = owner_api.get(f"/api/v1/tracks/{track.pk}/").json()["links"]["explanation"]
    assert link == f"http://testserver{address(track)}"
    assert owner_api.get(link).status_code == 404
    with django_capture_on_commit_callbacks() as callbacks:
        asked = owner_api.post(link)
    assert len(callbacks) == 1
    assert asked.status_code == 202
    body = asked.json()
    assert (body["status"], body["genre"], body["error"]) == ("queued", "jazz", None)
    assert {body[name] for name in ("bands", "moments", "map", "picture")} == {None}

    explain(explanation_id=Explanation.objects.get().pk)
    again = owner_api.post(link)
    assert again.status_code == 200
    body = owner_api.get(link).json()
    assert {**body, "picture": ""} == {**again.json(), "picture": ""}
    assert body["status"] == "done"
    assert len(body["map"]["effects"]) == len(body["map"]["bands"]) - 1
    assert {len(row) for row in body["map"]["effects"]} == {len(body["map"]["slices"]) - 1}
    assert body["bands"]
    for part in body["bands"]:
        assert part["spoke"] in ("for", "against")
        assert part["low"] < part["high"]
    for part in body["moments"]:
        assert 0 <= part["start"] < part["end"] <= body["map"]["slices"][-1]
    picture = client.get(body["picture"])
    assert picture["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(b"".join(picture.streaming_content)))  # type: ignore[attr-defined]
    assert image.mode == "RGBA"


def test_one_that_failed_says_why_and_may_be_asked_for_again(
    owner_api: APIClient, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    assert owner_api.post(address(track)).status_code == 202
    explain(explanation_id=Explanation.objects.get().pk)
    body = owner_api.get(address(track)).json()
    assert (body["status"], body["error"]["code"]) == ("failed", "version_gone")
    assert "no longer here" in body["error"]["message"]
    again = owner_api.post(address(track))
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (202, "queued", None)


def test_not_before_the_verdict(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    track = queued_track(owner)
    for response in (owner_api.get(address(track)), owner_api.post(address(track))):
        assert (response.status_code, response.json()["error"]["code"]) == (409, "not_ready")


def test_not_without_music(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, unsure=True)
    Analysis.objects.update(genre="")
    for response in (owner_api.get(address(track)), owner_api.post(address(track))):
        assert (response.status_code, response.json()["error"]["code"]) == (409, "no_music")
    assert not Explanation.objects.exists()


def test_a_private_track_is_explained_to_its_owner_alone(matrix: Matrix, api: Api, done_track: Make) -> None:
    track = done_track(matrix.owner)
    assert api(matrix.owner).post(address(track)).status_code == 202
    for person in matrix.strangers:
        client = api(person)
        assert (client.get(address(track)).status_code, client.post(address(track)).status_code) == (404, 404)
    assert api(matrix.anonymous).get(address(track)).status_code == 404
    assert api(matrix.anonymous).post(address(track)).status_code == 401


def test_a_catalogue_track_is_explained_to_everybody_but_asked_about_with_an_account(
    matrix: Matrix, api: Api, done_track: Make
) -> None:
    track = done_track(None)
    assert api(matrix.anonymous).post(address(track)).status_code == 401
    assert not Explanation.objects.exists()
    assert api(matrix.other).post(address(track)).status_code == 202
    for person in matrix.public:
        assert api(person).get(address(track)).json()["status"] == "queued"


def test_reading_costs_one_query_beside_the_token(
    owner_api: APIClient, owner: User, done_track: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    track = done_track(owner)
    owner_api.post(address(track))
    with django_assert_num_queries(2):
        assert owner_api.get(address(track)).json()["status"] == "queued"
