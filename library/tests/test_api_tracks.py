"""GET /api/v1/tracks/: visibility, filters, orders and number of queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api, Matrix

TRACKS = "/api/v1/tracks/"
Make = Callable[..., Track]


def titles(client: APIClient, query: str = "") -> list[str]:
    response = client.get(f"{TRACKS}{query}")
    assert response.status_code == 200, response.json()
    return [track["title"] for track in response.json()["results"]]


def test_a_list_shows_tracks_without_their_timelines(
    owner_api: APIClient, owner: User, done_track: Make
) -> None:
    track = done_track(owner, title="Blue", artist="B. B.", genre="jazz", confidence=0.73)
    body = owner_api.get(TRACKS).json()
    assert {key: body[key] for key in ("count", "next", "previous")} == {
        "count": 1,
        "next": None,
        "previous": None,
    }
    (shown,) = body["results"]
    assert shown["id"] == str(track.pk)
    assert (shown["title"], shown["artist"], shown["genre"]) == ("Blue", "B. B.", "jazz")
    assert (shown["status"], shown["error"], shown["step"]) == ("done", None, None)
    assert shown["links"]["similar"] == f"http://testserver{TRACKS}{track.pk}/similar/"
    analysis = shown["analysis"]
    assert (analysis["genre"], analysis["confidence"], analysis["unsure"]) == ("jazz", 0.73, False)
    assert analysis["likely"][0] == "jazz"
    assert (analysis["model_version"], analysis["stale"]) == ("test", False)
    assert list(analysis["probabilities"]) == sorted(analysis["probabilities"])
    assert "timeline" not in analysis


def test_scopes(matrix: Matrix, api: Api, done_track: Make) -> None:
    done_track(matrix.owner, title="private")
    done_track(matrix.owner, title="published", visibility="catalogue")
    done_track(None, title="imported")
    done_track(matrix.other, title="other's")
    owner, anonymous = api(matrix.owner), api(matrix.anonymous)
    assert set(titles(owner)) == set(titles(owner, "?scope=mine")) == {"private", "published"}
    assert set(titles(owner, "?scope=all")) == {"private", "published", "imported"}
    for person in (matrix.owner, *matrix.public):
        assert set(titles(api(person), "?scope=catalogue")) == {"published", "imported"}
    assert set(titles(anonymous, "?scope=all")) == {"published", "imported"}
    # Not even staff see other users' tracks here.
    assert titles(api(matrix.staff)) == titles(api(matrix.curator)) == []


@pytest.mark.parametrize("query", ["", "?scope=mine"])
def test_nobodys_own_tracks_need_an_account(api: Api, matrix: Matrix, query: str) -> None:
    response = api(matrix.anonymous).get(f"{TRACKS}{query}")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"


def test_filters(
    owner_api: APIClient, owner: User, done_track: Make, queued_track: Make, genres: dict[str, Genre]
) -> None:
    done_track(owner, title="sure", genre="blues")
    done_track(owner, title="unsure", genre="jazz", unsure=True, source="recording")
    done_track(owner, title="labelled", genre="jazz", labelled_genre=genres["rock"])
    queued_track(owner, title="waiting")
    queued_track(owner, title="broken", status="failed", error_code="truncated")
    expected = {
        "?status=done": {"sure", "unsure", "labelled"},
        "?status=queued&status=failed": {"waiting", "broken"},
        "?genre=blues": {"sure"},
        "?genre=jazz": {"unsure"},
        "?genre=rock": {"labelled"},
        "?genre=rock&genre=jazz": {"labelled", "unsure"},
        "?unsure=true": {"unsure"},
        "?unsure=false": {"sure", "labelled"},
        "?source=recording": {"unsure"},
        "?status=done&unsure=false&genre=blues": {"sure"},
    }
    assert {query: set(titles(owner_api, query)) for query in expected} == expected


def test_filter_by_day(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    for day in (1, 2, 3):
        track = queued_track(owner, title=f"day {day}")
        Track.objects.filter(pk=track.pk).update(created=datetime(2026, 5, day, 12, tzinfo=UTC))
    after = "?created_after=2026-05-02T00:00:00Z"
    assert set(titles(owner_api, after)) == {"day 2", "day 3"}
    assert titles(owner_api, f"{after}&created_before=2026-05-02T23:00:00%2B00:00") == ["day 2"]
    # An offset that ISO 8601 allows and PostgreSQL does not: 13 hours UTC of the second day.
    assert titles(owner_api, f"{after}&created_before=2026-05-03T12:00:00%2B23:00") == ["day 2"]


def test_search(api: Api, owner: User, other: User, done_track: Make) -> None:
    done_track(owner, title="Stormy Monday", artist="T-Bone Walker", original_name="take_7.wav")
    done_track(owner, title="So What", artist="Miles Davis", original_name="b.wav", visibility="catalogue")
    mine = api(owner)
    assert titles(mine, "?search=monday+walker") == ["Stormy Monday"]
    assert titles(mine, "?search=take_7") == ["Stormy Monday"]
    assert titles(mine, "?search=walker+miles") == []
    assert titles(mine, "?search=100%25") == []
    assert titles(api(other), "?scope=all&search=miles") == ["So What"]
    # File names are private.
    assert titles(api(other), "?scope=all&search=b.wav") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?scope=theirs", "scope"),
        ("?status=lost", "status"),
        ("?genre=polka", "genre"),
        ("?source=radio", "source"),
        ("?ordering=owner", "ordering"),
        ("?created_after=yesterday", "created"),
        ("?created_after=0001-01-01T00:00:00%2B14:00", "created"),
        ("?created_before=9999-12-31T23:59:59-14:00", "created"),
        ("?search=%00", "search"),
    ],
)
def test_wrong_parameters_are_named(
    owner_api: APIClient, genres: dict[str, Genre], query: str, field: str
) -> None:
    response = owner_api.get(f"{TRACKS}{query}")
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "invalid"
    assert [name.partition("_")[0] for name in error["fields"]] == [field]


@pytest.mark.slow
def test_orders(owner_api: APIClient, owner: User, done_track: Make, queued_track: Make) -> None:
    now = timezone.now()
    for age, (title, genre, confidence, duration) in enumerate(
        [("beta", "rock", 0.5, 30.0), ("Alpha", "blues", 0.9, 10.0), ("gamma", "jazz", 0.7, 20.0)]
    ):
        track = done_track(owner, title=title, genre=genre, confidence=confidence, duration=duration)
        Track.objects.filter(pk=track.pk).update(created=now - timedelta(days=age))
    unknown = queued_track(owner, title="unknown")
    Track.objects.filter(pk=unknown.pk).update(created=now - timedelta(days=9))
    expected = {
        "": ["beta", "Alpha", "gamma", "unknown"],
        "?ordering=,,": ["beta", "Alpha", "gamma", "unknown"],
        "?ordering=,title,": ["Alpha", "beta", "gamma", "unknown"],
        "?ordering=created": ["unknown", "gamma", "Alpha", "beta"],
        "?ordering=-created": ["beta", "Alpha", "gamma", "unknown"],
        "?ordering=title": ["Alpha", "beta", "gamma", "unknown"],
        "?ordering=-title": ["unknown", "gamma", "beta", "Alpha"],
        "?ordering=duration": ["Alpha", "gamma", "beta", "unknown"],
        "?ordering=-duration": ["beta", "gamma", "Alpha", "unknown"],
        "?ordering=genre": ["Alpha", "gamma", "beta", "unknown"],
        "?ordering=-genre": ["beta", "gamma", "Alpha", "unknown"],
        "?ordering=confidence": ["beta", "gamma", "Alpha", "unknown"],
        "?ordering=-confidence": ["Alpha", "gamma", "beta", "unknown"],
    }
    assert {query: titles(owner_api, query) for query in expected} == expected


def test_pages_hold_each_track_once(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    made = {str(queued_track(owner, title="same").pk) for _ in range(7)}
    seen: list[str] = []
    address: str | None = f"{TRACKS}?page_size=3&ordering=title"
    while address:
        body: dict[str, Any] = owner_api.get(address).json()
        assert body["count"] == 7
        seen += [track["id"] for track in body["results"]]
        address = body["next"]
    assert len(seen) == 7
    assert set(seen) == made


@pytest.mark.parametrize("page", ["0", "9", "x", "99999999999999999999999"])
def test_a_page_that_is_none(owner_api: APIClient, owner: User, queued_track: Make, page: str) -> None:
    queued_track(owner)
    response = owner_api.get(f"{TRACKS}?page={page}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_pages_are_bounded(owner_api: APIClient, owner: User, queued_track: Make) -> None:
    for _ in range(101):
        queued_track(owner)
    assert len(owner_api.get(f"{TRACKS}?page_size=1000").json()["results"]) == 100


@pytest.mark.parametrize("count", [1, 10])
def test_the_price_does_not_grow(
    owner_api: APIClient,
    owner: User,
    done_track: Make,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    rock = Genre.objects.create(slug="rock", name="Rock", colour="#cc6677")
    for _ in range(count):
        done_track(owner, labelled_genre=rock)
    owner_api.get(TRACKS)
    # Whose token it is, how many there are, and these.
    with django_assert_num_queries(3):
        assert len(owner_api.get(TRACKS).json()["results"]) == count
