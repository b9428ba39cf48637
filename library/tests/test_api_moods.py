"""GET /api/v1/moods/ and /api/v1/moods/{mood}/tracks/."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries

from classifier.core.tags import MOODS
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api, Matrix

Make = Callable[..., Track]
URL = "/api/v1/moods/"


def test_the_moods(api: Api, anonymous: AnonymousUser) -> None:
    body = api(anonymous).get(URL).json()
    assert [mood["slug"] for mood in body] == list(MOODS)
    assert body[0] == {
        "slug": "happy",
        "name": "Happy",
        "meaning": "Bright and cheerful.",
        "tracks": f"http://testserver{URL}happy/tracks/",
    }


def test_tracks_come_from_what_the_asker_may_see(api: Api, matrix: Matrix, done_track: Make) -> None:
    done_track(matrix.owner, title="Private", tags={"easy-listening": 0.99})
    done_track(None, title="Public", tags={"easy-listening": 0.85})
    done_track(None, title="Weak", tags={"easy-listening": 0.75}, catalogue_key="weak")

    def titles(person: User | AnonymousUser) -> list[str]:
        response = api(person).get(f"{URL}easy-listening/tracks/")
        assert response.status_code == 200
        return [row["track"]["title"] for row in response.json()["results"]]

    assert titles(matrix.owner) == ["Private", "Public"]
    for person in matrix.public:
        assert titles(person) == ["Public"]


def test_a_row_has_its_strength_and_a_whole_summary(
    api: Api, anonymous: AnonymousUser, done_track: Make
) -> None:
    track = done_track(None, tags={"sad": 0.91})
    body = api(anonymous).get(f"{URL}sad/tracks/?page_size=1").json()
    assert (body["count"], body["next"]) == (1, None)
    (row,) = body["results"]
    assert row["strength"] == 0.91
    assert row["track"]["id"] == str(track.pk)
    assert row["track"]["analysis"]["tags"] == {"mood": {"sad": 0.91}}
    assert row["track"]["links"]["self"].endswith(f"/tracks/{track.pk}/")


@pytest.mark.parametrize("mood", ["jazz", "polka", "a" * 300])
def test_what_is_no_mood_is_not_found(api: Api, anonymous: AnonymousUser, mood: str) -> None:
    response = api(anonymous).get(f"{URL}{mood}/tracks/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("page", ["0", "9", "x"])
def test_a_page_that_is_none(api: Api, anonymous: AnonymousUser, page: str) -> None:
    assert api(anonymous).get(f"{URL}sad/tracks/?page={page}").status_code == 404


def test_it_is_only_read(api: Api, owner: User) -> None:
    assert api(owner).post(f"{URL}sad/tracks/").status_code == 405
    assert api(owner).post(URL).status_code == 405


def test_the_price_does_not_grow(
    api: Api, owner: User, done_track: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = api(owner)
    client.get(URL)
    for count in (1, 10):
        for _ in range(count):
            done_track(owner, tags={"sad": 0.9, "happy": 0.9})
        # Whose token it is, how many there are, and these.
        with django_assert_num_queries(3):
            client.get(f"{URL}sad/tracks/")
