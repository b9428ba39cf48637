"""Adding a genre, and whether its colour can be told apart."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.translation import override

from classifier.genre_names import genre_for
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre
from genreweb.accounts.models import User
from library import colours
from library.tests.conftest import Matrix

URL = "/genres/new/"
SHIPPED = [genre.colour for genre in SHIPPED_GENRES]


@pytest.fixture
def desk(client: Client, curator: User, genres: dict[str, Genre]) -> Client:
    client.force_login(curator)
    return client


def test_a_genre_is_added_and_can_be_chosen(desk: Client) -> None:
    fields = {"name": "Chiptune", "description": "Square waves.", "colour": "#A020F0"}
    answer = desk.post(URL, fields, follow=True)
    assert answer.redirect_chain == [(URL, 302)]
    genre = Genre.objects.get(slug="chiptune")
    assert (genre.name, genre.description, genre.colour) == ("Chiptune", "Square waves.", "#a020f0")
    assert "Chiptune is added." in answer.content.decode()
    assert '<option value="chiptune">' in desk.get("/contribute/").content.decode()


def test_a_genre_has_words_in_each_language(desk: Client) -> None:
    assert 'name="name_ko"' in desk.get(URL).content.decode()
    korean = {"name_ko": " 칩튠 ", "description_ko": "옛 게임기의 음악입니다."}
    desk.post(URL, {"name": "Chiptune", "description": "Square waves.", "colour": "#a020f0", **korean})
    genre = Genre.objects.get(slug="chiptune")
    assert genre.translations == {"ko": {"name": "칩튠", "description": "옛 게임기의 음악입니다."}}
    assert (genre.display_name, genre.display_description) == ("Chiptune", "Square waves.")
    with override("ko"):
        assert (genre.display_name, genre.display_description) == ("칩튠", "옛 게임기의 음악입니다.")
    # It is known by either name, and none is given twice.
    assert genre_for("칩튠") == genre
    twice = desk.post(URL, {"name": "Eight bit", "colour": "#a020f0", "name_ko": "칩튠"})
    assert (twice.status_code, Genre.objects.count()) == (422, 11)
    # What is empty is shown in the site's language.
    desk.post(URL, {"name": "Polka", "colour": "#a020f0"})
    with override("ko"):
        assert Genre.objects.get(slug="polka").display_name == "Polka"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name_ko": "x" * 61}, "at most 60"),
        ({"name": ""}, "required"),
        ({"name": "  "}, "required"),
        ({"name": "BLUES"}, "already"),
        ({"name": "Hip Hop"}, "already"),
        ({"name": "x" * 61}, "at most 60"),
        ({"colour": "red"}, "#1b9e77"),
        ({"colour": "#12345\n"}, "#1b9e77"),
        ({"name": "a\0b"}, "Null characters"),
    ],
)
def test_what_cannot_be_added_is_said(desk: Client, fields: dict[str, str], words: str) -> None:
    answer = desk.post(URL, {"name": "Chiptune", "colour": "#a020f0", **fields})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Genre.objects.count() == 10


def test_it_is_for_curators(matrix: Matrix) -> None:
    fields = {"name": "Chiptune", "colour": "#a020f0"}
    for url in (URL, "/genres/new/colour/"):
        assert Client().get(url).status_code == 302
        for person, status in (
            (matrix.owner, 404),
            (matrix.other, 404),
            (matrix.curator, 200),
            (matrix.staff, 200),
        ):
            client = Client()
            client.force_login(person)
            assert client.get(url).status_code == status
            if status == 404:
                assert client.post(URL, fields).status_code == 404
    assert not Genre.objects.filter(slug="chiptune").exists()


def test_the_first_colour_offered_is_free(desk: Client) -> None:
    html = desk.get(URL).content.decode()
    free = colours.free_colour(SHIPPED)
    assert f'value="{free}"' in html
    assert "can be told apart from every other genre" in html


def test_a_colour_that_is_like_another_is_warned_of(desk: Client) -> None:
    html = desk.get("/genres/new/colour/", {"colour": "#4477bb"}).content.decode()
    assert "cannot tell this colour from" in html
    assert "Blues" in html
    assert "Rock" not in html
    for nonsense in ("", "red", "#12", "#4477aa;x", "\0"):
        assert desk.get("/genres/new/colour/", {"colour": nonsense}).status_code == 200


# --- the measure itself ----------------------------------------------------------------------------------
def test_the_shipped_colours_can_be_told_apart() -> None:
    for place, colour in enumerate(SHIPPED):
        assert not any(colours.alike(colour, SHIPPED[:place] + SHIPPED[place + 1 :])), colour


def test_red_and_green_of_one_lightness_are_alike_to_some_only() -> None:
    red, green = "#b86a3c", "#8a8a3c"
    usual, protan, _deutan, _tritan = colours.seen([red, green])
    apart = [float(((vision[0] - vision[1]) ** 2).sum() ** 0.5) for vision in (usual, protan)]
    assert apart[0] > 1.5 * apart[1]


def test_white_is_the_top_of_lightness_and_greys_have_no_hue() -> None:
    usual = colours.seen(["#ffffff", "#000000", "#808080"])[0]
    assert usual[:, 0] == pytest.approx([1.0, 0.0, 0.5999], abs=2e-3)
    assert usual[:, 1:] == pytest.approx(0.0, abs=1e-3)


def test_free_colours_stay_free_for_a_while() -> None:
    taken = list(SHIPPED)
    for _ in range(5):
        colour = colours.free_colour(taken)
        assert not any(colours.alike(colour, taken))
        light = colours.seen([colour])[0, 0, 0]
        assert colours.LIGHTNESS[0] <= light <= colours.LIGHTNESS[1]
        taken.append(colour)


@pytest.mark.parametrize("colour", ["", "#fff", "red", "#1b9e7", "#1b9e77\n", "#gggggg"])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match="written like"):
        colours.seen([colour])
