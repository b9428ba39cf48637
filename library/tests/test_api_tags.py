"""Tags and styles in the API: what an analysis says, filters and orders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api

Make = Callable[..., Track]
TRACKS = "/api/v1/tracks/"


def titles(client: APIClient, query: str) -> list[str]:
    response = client.get(f"{TRACKS}{query}")
    assert response.status_code == 200, response.json()
    return [track["title"] for track in response.json()["results"]]


@pytest.fixture
def shelf(owner: User, done_track: Make) -> None:
    done_track(owner, title="A", tags={"mellow": 0.75, "jazz": 0.9})
    done_track(owner, title="B", tags={"mellow": 0.99, "jazz": 0.72})
    done_track(owner, title="C", tags={"mellow": 0.2, "jazz": 0.99})
    done_track(owner, title="old")


def test_an_analysis_says_style_and_tags_in_order(
    owner_api: APIClient, owner: User, done_track: Make
) -> None:
    track = done_track(owner, style="house", tags={"80s": 0.2, "mellow": 0.75, "jazz": 0.1, "pop": 0.9})
    for body in (
        owner_api.get(f"{TRACKS}{track.pk}/").json(),
        owner_api.get(TRACKS).json()["results"][0],
    ):
        analysis = body["analysis"]
        assert (analysis["style"], analysis["unsure"], analysis["tag_version"]) == ("house", True, "test-1")
        assert list(analysis["tags"]) == ["style", "mood", "era"]
        assert list(analysis["tags"]["style"].items()) == [("pop", 0.9), ("jazz", 0.1)]
        assert len(analysis["probabilities"]) == 10


def test_an_old_analysis_says_that_it_has_none(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    analysis = owner_api.get(f"{TRACKS}{track.pk}/").json()["analysis"]
    assert (analysis["style"], analysis["tags"], analysis["tag_version"]) == (None, {}, None)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?tag=mellow&ordering=title", ["A", "B"]),
        ("?tag=mellow&tag=jazz&ordering=title", ["A", "B"]),
        ("?tag=mellow&min_strength=0.9", ["B"]),
        ("?tag=mellow&tag=jazz&min_strength=0.9", []),
        ("?tag=mellow&ordering=-tag:mellow", ["B", "A"]),
        ("?tag=mellow&ordering=tag:mellow", ["A", "B"]),
        ("?ordering=-tag:jazz,title", ["C", "A", "B", "old"]),
        ("?ordering=tag:jazz,title", ["B", "A", "C", "old"]),
        ("?tag=jazz&ordering=-tag:mellow", ["B", "A", "C"]),
        ("?min_strength=0.9&ordering=title", ["A", "B", "C", "old"]),
    ],
)
def test_filters_and_orders(owner_api: APIClient, query: str, expected: list[str]) -> None:
    assert titles(owner_api, query) == expected


@pytest.mark.usefixtures("shelf")
def test_nobody_finds_anothers_tracks_by_a_tag(api: Api, other: User, anonymous: AnonymousUser) -> None:
    for person in (other, anonymous):
        assert titles(api(person), "?scope=all&tag=mellow") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?tag=polka", "tag"),
        ("?tag=mellow%00", "tag"),
        ("?tag=" + "&tag=".join(["mellow", "jazz", "pop", "rock", "sad", "happy"]), "tag"),
        ("?tag=sad&min_strength=0", "min_strength"),
        ("?tag=sad&min_strength=2", "min_strength"),
        ("?tag=sad&min_strength=nan", "min_strength"),
        ("?tag=sad&min_strength=x", "min_strength"),
        ("?ordering=tag:polka", "ordering"),
        ("?ordering=tag:", "ordering"),
        ("?ordering=strength_of_sad", "ordering"),
    ],
)
def test_wrong_parameters_are_named(owner_api: APIClient, query: str, field: str) -> None:
    response = owner_api.get(f"{TRACKS}{query}")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


def test_the_price_does_not_grow(
    owner_api: APIClient, owner: User, done_track: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(6):
        done_track(owner, tags={"mellow": 0.9, "jazz": 0.9})
    owner_api.get(TRACKS)
    # Whose token it is, how many there are, and these.
    with django_assert_num_queries(3):
        assert len(titles(owner_api, "?tag=mellow&tag=jazz&ordering=-tag:mellow")) == 6
