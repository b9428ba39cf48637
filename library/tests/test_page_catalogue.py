"""The catalogue's page: contents, search and rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Matrix
from library.views import catalogue

HTMX = {"HX-Request": "true", "HX-Target": "results"}


def browse(client: Client, **query: str) -> str:
    response = client.get(reverse("library:catalogue"), query)
    assert response.status_code == 200
    return response.content.decode()


def titles(html: str) -> list[str]:
    return re.findall(r'class="track-row-title"><a href="[^"]+">([^<]*)</a>', html)


def chips(html: str) -> dict[str, int]:
    return {
        key: int(count)
        for key, count in re.findall(r'id="chip-([a-z-]+)".*?class="genre-share">(\d+)</span>', html)
    }


@pytest.fixture
def add(done_track: Callable[..., Track], genres: dict[str, Genre]) -> Callable[..., Track]:
    """Add a track to the catalogue, predicted as blues by default."""

    def make(title: str, label: str = "", **fields: object) -> Track:
        return done_track(None, title=title, labelled_genre=genres.get(label), **fields)

    return make


def test_everybody_sees_the_catalogue_and_nobody_anything_private(
    client: Client, matrix: Matrix, add: Callable[..., Track], done_track: Callable[..., Track]
) -> None:
    track = add("Public", artist="The Band", licence="CC BY 4.0")
    done_track(matrix.owner, title="Private")
    for person in (None, matrix.owner, matrix.other, matrix.staff):
        if person:
            client.force_login(person)
        html = browse(client)
        assert titles(html) == ["Public"]
        assert "The Band" in html
        assert "CC BY 4.0" in html
        assert f'data-play="{track.player_url}"' in html
        assert reverse("library:track", args=[track.pk]) in html


def test_the_label_and_the_prediction_are_both_shown(client: Client, add: Callable[..., Track]) -> None:
    add("Song", "country", genre="jazz", confidence=0.62)
    row = browse(client).split('class="track-row-verdict"')[1]
    assert re.search(r"labelled</span>.*?Country</span>", row, re.S)
    assert re.search(r"heard</span>.*?Jazz <span class=\"genre-share\">62", row, re.S)


def test_an_unsure_verdict_is_not_shown_as_a_genre(client: Client, add: Callable[..., Track]) -> None:
    add("Song", "country", genre="jazz", confidence=0.2, unsure=True)
    row = browse(client).split('class="track-row-verdict"')[1].split("</div>")[0]
    assert "Unsure: jazz or " in row
    assert "20" not in re.sub(r"<[^>]+>", "", row)


def test_searching_by_title_and_artist_and_every_word_must_fit(
    client: Client, add: Callable[..., Track]
) -> None:
    add("Blue Train", artist="John")
    add("Blue Moon", artist="Ella")
    add("Summertime", artist="ELLA")
    assert titles(browse(client, q="ella")) == ["Blue Moon", "Summertime"]
    assert titles(browse(client, q="ella blue")) == ["Blue Moon"]
    assert "Nothing fits" in browse(client, q="polka")
    assert titles(browse(client, q="100%")) == []


def test_a_track_is_listed_under_its_label_or_else_under_the_prediction(
    client: Client, add: Callable[..., Track]
) -> None:
    add("Labelled", "rock", genre="blues")
    add("Heard", genre="blues")
    add("Silent", genre="", unsure=True)
    html = browse(client)
    assert chips(html) == {"all": 3, "blues": 1, "rock": 1, "none": 1}
    assert titles(browse(client, genre="rock")) == ["Labelled"]
    assert titles(browse(client, genre="blues")) == ["Heard"]
    assert titles(browse(client, genre="none")) == ["Silent"]
    assert titles(browse(client, genre="polka")) == []


def test_the_counts_follow_the_search_but_not_the_chosen_genre(
    client: Client, add: Callable[..., Track]
) -> None:
    add("Red rock", "rock")
    add("Red blues", "blues")
    add("Other", "blues")
    html = browse(client, q="red", genre="rock")
    assert chips(html) == {"all": 2, "blues": 1, "rock": 1}
    assert re.search(r'id="chip-rock"[^>]*href="\?q=red&amp;genre=rock"[^>]*aria-current="true"', html)
    assert '<input type="hidden" id="catalogue-genre" name="genre" value="rock">' in html


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["A", "B", "C"]),
        ("artist", ["C", "A", "B"]),
        ("genre", ["B", "A", "C"]),
        ("newest", ["C", "B", "A"]),
        ("longest", ["B", "C", "A"]),
        ("nonsense", ["A", "B", "C"]),
    ],
)
def test_the_order(client: Client, add: Callable[..., Track], sort: str, expected: list[str]) -> None:
    add("A", "jazz", artist="y", duration=1.0)
    add("B", "blues", artist="z", duration=9.0)
    add("C", "rock", artist="x", duration=2.0)
    assert titles(browse(client, sort=sort)) == expected


def test_pages_keep_what_was_asked(
    client: Client, add: Callable[..., Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "PER_PAGE", 2)
    for title in "ABCDE":
        add(f"Song {title}", "rock")
    html = browse(client, q="song", genre="rock", sort="newest", page="2")
    assert titles(html) == ["Song C", "Song B"]
    assert 'rel="next" href="?q=song&amp;genre=rock&amp;sort=newest&amp;page=3"' in html
    assert titles(browse(client, page="99")) == ["Song E"]
    assert titles(browse(client, page="x")) == ["Song A", "Song B"]


def test_htmx_gets_the_results_alone_but_the_back_button_the_whole_page(
    client: Client, add: Callable[..., Track]
) -> None:
    add("Song")
    url = reverse("library:catalogue")
    part = client.get(url, headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="results"')
    assert titles(part) == ["Song"]
    restored = client.get(url, headers={**HTMX, "HX-History-Restore-Request": "true"}).content.decode()
    assert restored.startswith("<!doctype html>")


def test_tracks_without_a_verdict_are_counted_and_failed_ones_are_not_shown(
    client: Client, add: Callable[..., Track], queued_track: Callable[..., Track]
) -> None:
    queued_track(None, title="Waiting")
    queued_track(None, title="Broken", status="failed", error_code="truncated")
    html = browse(client)
    assert "The first tracks are being analysed" in html
    add("Done")
    html = browse(client)
    assert titles(html) == ["Done"]
    assert "1 more is being analysed" in html


def test_an_empty_catalogue_tells_staff_how_to_fill_it(client: Client, staff: User, other: User) -> None:
    client.force_login(other)
    html = browse(client)
    assert "The catalogue is empty" in html
    assert "import_catalogue" not in html
    client.force_login(staff)
    assert "manage.py import_catalogue FOLDER" in browse(client)


@pytest.mark.parametrize("nonsense", ["\0", "x" * 5000, "%", "' OR 1=1 --", "<script>alert(1)</script>"])
def test_strange_wishes_do_no_harm(client: Client, add: Callable[..., Track], nonsense: str) -> None:
    add("Song")
    html = browse(client, q=nonsense, genre=nonsense, sort=nonsense)
    assert "<script>alert" not in html
    assert titles(html) == (["Song"] if nonsense == "\0" else [])


def test_the_number_of_queries_does_not_grow_with_the_catalogue(
    client: Client, add: Callable[..., Track], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    add("One", "rock")
    url = reverse("library:catalogue")
    client.get(url)
    # The counts by genre, the page, the genres, who waits.
    with django_assert_num_queries(5):
        client.get(url)
    for n in range(12):
        add(f"More {n}", ("jazz", "rock", "")[n % 3])
    with django_assert_num_queries(5):
        client.get(url)
