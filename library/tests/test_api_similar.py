"""GET /api/v1/tracks/{id}/similar/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api, Matrix

Make = Callable[..., Track]


def address(track: Track, query: str = "") -> str:
    return f"/api/v1/tracks/{track.pk}/similar/{query}"


def test_three_of_them_the_nearest_first(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="asked")
    for angle in (40, 10, 90, 20):
        done_track(None, title=f"{angle}°", angle=angle, genre="jazz", artist="someone")
    body = owner_api.get(address(track)).json()
    assert [near["rank"] for near in body] == [1, 2, 3]
    assert [near["track"]["title"] for near in body] == ["10°", "20°", "40°"]
    assert body[0]["distance"] == pytest.approx(2 * np.sin(np.radians(5)), abs=1e-3)
    track = body[0]["track"]
    assert (track["genre"], track["artist"], track["status"]) == ("jazz", "someone", "done")
    assert owner_api.get(track["links"]["self"]).json()["id"] == track["id"]


@pytest.mark.slow
def test_as_many_as_asked_for(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    for angle in range(1, 6):
        done_track(None, angle=angle)
    assert len(owner_api.get(address(track, "?k=1")).json()) == 1
    assert len(owner_api.get(address(track, "?k=50")).json()) == 5


@pytest.mark.parametrize("k", ["0", "-1", "51", "three", "1e9", "99999999999999999999"])
def test_a_number_that_is_none(owner_api: APIClient, owner: User, done_track: Make, k: str) -> None:
    response = owner_api.get(address(done_track(owner), f"?k={k}"))
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["k"]


@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_not_before_the_verdict(
    owner_api: APIClient, owner: User, queued_track: Make, done_track: Make, status: str
) -> None:
    done_track(None)
    response = owner_api.get(address(queued_track(owner, status=status)))
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "not_ready"


def test_the_old_verdict_serves_while_a_new_one_is_made(
    owner_api: APIClient, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    near = done_track(None, angle=3)
    Track.objects.filter(pk=track.pk).update(status="running")
    assert [found["track"]["id"] for found in owner_api.get(address(track)).json()] == [str(near.pk)]


def test_only_what_the_asker_may_see(matrix: Matrix, api: Api, done_track: Make) -> None:
    track = done_track(None, title="asked")
    done_track(matrix.owner, title="hidden", angle=1)
    done_track(None, title="public", angle=90)

    def found(client: APIClient) -> list[str]:
        return [near["track"]["title"] for near in client.get(address(track)).json()]

    assert found(api(matrix.owner)) == ["hidden", "public"]
    for person in matrix.public:
        assert found(api(person)) == ["public"]


@pytest.mark.parametrize("count", [1, 10])
def test_the_price_does_not_grow(
    api: Api,
    owner: User,
    done_track: Make,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    track = done_track(owner)
    for angle in range(1, count + 1):
        done_track(None, angle=angle)
    client = api(owner)
    client.get(address(track))
    # The token and the track; its analysis and its vectors, what was learnt from thumbs, whether all are
    # prepared, twice the catalogue's, the own and the chosen.
    with django_assert_num_queries(10):
        assert len(client.get(address(track, "?k=10")).json()) == count


@pytest.mark.slow
def test_real_sounds(owner_api: APIClient, owner: User, finished_track: Make) -> None:
    tracks = [finished_track(owner, seed=seed) for seed in range(4)]
    body = owner_api.get(address(tracks[0])).json()
    assert {near["track"]["id"] for near in body} == {str(track.pk) for track in tracks[1:]}
    distances = [near["distance"] for near in body]
    assert distances == sorted(distances)
    assert all(0 < distance <= 2 for distance in distances)


# --- lenses and conditions ------------------------------------------------------------------------------
def test_the_lens_and_the_reasons_are_named(owner_api: APIClient, owner: User, done_track: Make) -> None:
    tags = {"mellow": 0.9, "folk": 0.95}
    track = done_track(owner, lenses={"blend": 0, "mood": 0}, tags=tags)
    done_track(None, title="a", lenses={"blend": 5, "mood": 70}, tags=tags)
    done_track(None, title="b", lenses={"blend": 30, "mood": 10}, tags=tags)
    body = owner_api.get(address(track, "?k=2")).json()
    assert [(near["track"]["title"], near["by"]) for near in body] == [("a", "blend"), ("b", "blend")]
    assert body[0]["why"] == ["nearly the same", "both: folk, mellow"]
    body = owner_api.get(address(track, "?k=2&by=mood"), HTTP_ACCEPT_LANGUAGE="ko").json()
    assert [(near["track"]["title"], near["by"]) for near in body] == [("b", "mood"), ("a", "mood")]
    assert body[0]["why"] == ["매우 비슷한 분위기", "둘 다: 부드러운"]


def test_conditions(owner_api: APIClient, owner: User, done_track: Make, genres: dict[str, Genre]) -> None:
    track = done_track(owner, artist="A")
    for title, artist, genre, angle in (
        ("own artist", "a", "jazz", 1),
        ("first", "B", "jazz", 2),
        ("second", "B", "jazz", 3),
        ("blues", "C", "blues", 4),
    ):
        done_track(None, title=title, artist=artist, genre=genre, angle=angle)

    def found(query: str) -> list[str]:
        return [near["track"]["title"] for near in owner_api.get(address(track, f"?k=9&{query}")).json()]

    assert found("") == ["own artist", "first", "second", "blues"]
    assert found("genre=jazz") == ["own artist", "first", "second"]
    assert found("exclude_artist=true") == ["first", "second", "blues"]
    assert found("exclude_artist=true&one_per_artist=true&genre=jazz") == ["first"]


@pytest.mark.parametrize("query", ["by=taste", "genre=polka", "genre=a%00b", "exclude_artist=perhaps"])
def test_a_parameter_that_means_nothing(
    owner_api: APIClient, owner: User, done_track: Make, genres: dict[str, Genre], query: str
) -> None:
    response = owner_api.get(address(done_track(owner), f"?{query}"))
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [query.partition("=")[0]]


# --- several at once ------------------------------------------------------------------------------------
def ask(client: APIClient, *tracks: Track, **parameters: object) -> Any:
    return client.post(
        "/api/v1/similar/", {"tracks": [str(t.pk) for t in tracks], **parameters}, format="json"
    )


def test_like_several(owner_api: APIClient, owner: User, done_track: Make) -> None:
    seeds = [done_track(owner, angle=0), done_track(None, angle=60)]
    done_track(None, title="beside one", angle=-10)
    done_track(None, title="between", angle=31)
    count = Track.objects.count()
    response = ask(owner_api, *seeds, k=1)
    assert response.status_code == 200
    assert [near["track"]["title"] for near in response.json()] == ["between"]
    assert Track.objects.count() == count


def test_like_several_of_which_one_is_hidden_or_missing(
    matrix: Matrix, api: Api, done_track: Make, queued_track: Make
) -> None:
    public, hidden = done_track(None), done_track(matrix.owner)
    assert ask(api(matrix.owner), public, hidden).status_code == 200
    for person in matrix.public:
        assert ask(api(person), public, hidden).status_code == 404
    assert ask(api(matrix.owner), public, queued_track(matrix.owner)).status_code == 409


def test_like_some_and_unlike_others(matrix: Matrix, api: Api, done_track: Make) -> None:
    like, unlike = done_track(None, angle=0), done_track(None, title="kept away from", angle=40)
    for angle in (20, -25):
        done_track(None, title=f"{angle}", angle=angle)

    def found(client: APIClient, *away: Track) -> Any:
        return ask(client, like, unlike=[str(track.pk) for track in away], k=9)

    def titles(response: Any) -> list[str]:
        return [near["track"]["title"] for near in response.json()]

    stranger = api(matrix.other)
    assert titles(found(stranger)) == ["20", "-25", "kept away from"]
    assert titles(found(stranger, unlike)) == ["-25", "20"]
    hidden = done_track(matrix.owner, angle=41)
    assert found(stranger, hidden).status_code == 404
    assert titles(found(api(matrix.owner), hidden)) == ["-25", "20", "kept away from"]


@pytest.mark.parametrize("tracks", [[], ["x"], "all", [str(uuid4())] * 21])
def test_seeds_that_are_none(owner_api: APIClient, tracks: object) -> None:
    response = owner_api.post("/api/v1/similar/", {"tracks": tracks}, format="json")
    assert response.status_code == 400
    assert "tracks" in response.json()["error"]["fields"]
