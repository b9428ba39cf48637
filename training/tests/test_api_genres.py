"""Curators make the list of genres longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from classifier.models import Genre
from genreweb.accounts.models import User
from library.errors import GenreError
from library.services.genres import add_genre

GENRES = "/api/v1/genres/"
Api = Callable[[Any], APIClient]


def test_a_curator_adds_a_genre(api: Api, curator: User, genres: dict[str, Genre]) -> None:
    given = {"name": " Drum & Bass ", "description": "Fast breaks.", "colour": "#1B9E77"}
    answer = api(curator).post(GENRES, given)
    assert answer.status_code == 201
    expected = {
        "slug": "drum-bass",
        "name": "Drum & Bass",
        "description": "Fast breaks.",
        "colour": "#1b9e77",
    }
    assert answer.json() == expected
    assert expected in api(curator).get(GENRES).json()
    assert Genre.objects.count() == 11


def test_only_curators_add_genres(matrix: Any, api: Api, genres: dict[str, Genre]) -> None:
    given = {"name": "Polka"}
    assert api(matrix.anonymous).post(GENRES, given).status_code == 401
    for person in (matrix.owner, matrix.other):
        assert api(person).post(GENRES, given).status_code == 404
        with pytest.raises(PermissionError):
            add_genre(by=person, name="Polka")
    assert Genre.objects.count() == 10
    assert api(matrix.staff).post(GENRES, given).status_code == 201
    for person in (matrix.anonymous, matrix.owner):
        assert len(api(person).get(GENRES).json()) == 11


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "!!!"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "BLUES"}, "name"),
        ({"name": "Hip Hop"}, "name"),
        ({"name": "hip-hop"}, "name"),
        ({"name": ["a"]}, "name"),
        ({"name": "Polka", "colour": "red"}, "colour"),
        ({"name": "Polka", "colour": "#12345g"}, "colour"),
        ({"name": "Polka", "colour": "#1b9e7;"}, "colour"),
        ({"name": "Polka", "colour": "#1b9\n77"}, "colour"),
        ({"name": "Polka\x00"}, "name"),
        ({"name": "Polka", "description": "x" * 1001}, "description"),
    ],
)
def test_nonsense_is_refused(
    api: Api, curator: User, genres: dict[str, Genre], given: dict[str, Any], field: str
) -> None:
    answer = api(curator).post(GENRES, given)
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])
    assert Genre.objects.count() == 10


def test_a_genre_without_a_colour_gets_one_of_its_own(genres: dict[str, Genre]) -> None:
    made = [add_genre(by=None, name=name) for name in ("Polka", "Fado", "Ska")]
    colours = set(Genre.objects.values_list("colour", flat=True))
    assert len(colours) == 13
    for genre in made:
        genre.full_clean()


def test_names_in_any_script_make_a_label(genres: dict[str, Genre]) -> None:
    genre = add_genre(by=None, name="트로트")
    assert genre.slug.isascii()
    genre.full_clean()
    with pytest.raises(GenreError):
        add_genre(by=None, name="트로트")
    assert add_genre(by=None, name="演歌").slug != genre.slug
