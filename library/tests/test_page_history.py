"""A user's tracks: the list, its filters, and its updates."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from library.views import history

URL = "/tracks/"


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def listed(client: Client, query: str = "") -> list[str]:
    """Give the titles on the page, in order."""
    html = client.get(URL + query).content.decode()
    return re.findall(r'<div class="track-row-title"[^>]*><a [^>]*>(.*?)</a>', html)


@pytest.fixture
def shelf(owner: User, queued_track: Callable[..., Track], done_track: Callable[..., Track]) -> None:
    """Make one track of every kind for the owner, the last one the newest."""
    done_track(owner, title="Delta", genre="blues", confidence=0.9, duration=200.0, artist="Ma Rainey")
    done_track(owner, title="Blue in Green", genre="jazz", confidence=0.7, duration=300.0)
    done_track(owner, title="Between", genre="country", unsure=True, confidence=0.3, duration=100.0)
    done_track(owner, title="Rain", genre="", confidence=0.0, unsure=True, duration=50.0)
    queued_track(owner, title="Waiting")
    queued_track(owner, title="Working", status="running", step="classify")
    queued_track(owner, title="Broken", status="failed", error_code="truncated")


@pytest.mark.usefixtures("shelf")
def test_every_state_is_said_in_words(page: Client) -> None:
    html = page.get(URL).content.decode()
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", html))
    assert "Blues 90\u202f%" in text
    assert "Unsure: country or " in text
    assert "No music found" in text
    assert "Waiting for a free worker" in text
    assert "Listening for the genre" in text
    assert "The file is damaged or incomplete." in text
    assert "Try again" in text


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Broken", "Working", "Waiting", "Rain", "Between", "Blue in Green", "Delta"]),
        ("?sort=oldest", ["Delta", "Blue in Green", "Between", "Rain", "Waiting", "Working", "Broken"]),
        ("?sort=title&state=done", ["Between", "Blue in Green", "Delta", "Rain"]),
        ("?sort=longest&state=done", ["Blue in Green", "Delta", "Between", "Rain"]),
        ("?q=blue", ["Blue in Green"]),
        ("?q=green+BLUE", ["Blue in Green"]),
        ("?q=rainey", ["Delta"]),
        ("?q=%25", []),
        ("?genre=blues", ["Delta"]),
        ("?genre=country", []),
        ("?genre=unsure", ["Between"]),
        ("?genre=no-music", ["Rain"]),
        ("?state=unfinished", ["Working", "Waiting"]),
        ("?state=failed", ["Broken"]),
        ("?genre=nonsense&state=nonsense&sort=nonsense&state=failed", ["Broken"]),
        ("?page=99&state=failed", ["Broken"]),
        ("?page=x&state=failed", ["Broken"]),
        ("?q=%00&state=failed", ["Broken"]),
    ],
)
def test_search_filters_and_order_are_in_the_address(page: Client, query: str, titles: list[str]) -> None:
    assert listed(page, query) == titles


def test_a_filter_that_finds_nothing_says_how_to_get_back(
    page: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    done_track(owner)
    html = page.get(URL + "?q=nowhere").content.decode()
    assert "Nothing fits" in html
    assert "No tracks yet" not in html


def test_an_empty_history_says_what_to_do(page: Client) -> None:
    html = page.get(URL).content.decode()
    assert "No tracks yet" in html
    assert "Nothing fits" not in html


@pytest.mark.parametrize("who", ["other", "curator", "staff"])
def test_only_ones_own_tracks_are_listed(
    client: Client,
    request: pytest.FixtureRequest,
    owner: User,
    done_track: Callable[..., Track],
    who: str,
) -> None:
    done_track(owner, title="Private piece")
    done_track(None, title="Catalogue piece", catalogue_key="a")
    client.force_login(request.getfixturevalue(who))
    assert listed(client) == []


@pytest.mark.django_db
@pytest.mark.parametrize("address", [URL, "/tracks/rows/"])
def test_it_is_for_people_with_an_account(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_pages_keep_the_filters(
    page: Client, owner: User, done_track: Callable[..., Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PER_PAGE", 2)
    for number in range(5):
        done_track(owner, title=f"Piece {number}")
    done_track(owner, title="Another")
    html = page.get(URL + "?q=piece&sort=title&page=2").content.decode()
    assert listed(page, "?q=piece&sort=title&page=2") == ["Piece 2", "Piece 3"]
    assert 'href="?q=piece&amp;sort=title&amp;page=3"' in html
    assert 'href="?q=piece&amp;sort=title&amp;page=1"' in html


def test_the_number_of_queries_does_not_depend_on_the_rows(
    page: Client,
    owner: User,
    done_track: Callable[..., Track],
    queued_track: Callable[..., Track],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    done_track(owner, unsure=True)
    page.get(URL)
    # The session, its person, the genres for the filter, the genres for the chips, the rows, the last
    # re-analysis, what is outdated, whether the person curates and their news.
    with django_assert_num_queries(9):
        page.get(URL)
    for number in range(9):
        done_track(owner, unsure=number % 2 == 0)
        queued_track(owner, status="failed", error_code="truncated")
    with django_assert_num_queries(9):
        assert page.get(URL).content.count(b'<li class="track-row"') == 19


@pytest.mark.parametrize(("made", "reads"), [(0, 1), (3, 1), (25, 1), (26, 2)])
def test_a_search_that_ends_on_its_first_page_reads_the_tracks_once(
    page: Client, owner: User, done_track: Callable[..., Track], made: int, reads: int
) -> None:
    for number in range(made):
        done_track(owner, title=f"Needle {number}")
    done_track(owner, title="Hay")
    with CaptureQueriesContext(connection) as queries:
        shown = page.get(URL, {"q": "needle"}).context["page"]
    assert (shown.number, len(shown), shown.paginator.count) == (1, min(made, 25), made)
    assert shown.has_next() == (made > 25)
    assert sum("%NEEDLE%" in query["sql"] or "needle" in query["sql"] for query in queries) == reads


def test_htmx_gets_the_list_alone_but_a_restored_page_is_whole(page: Client) -> None:
    part = page.get(URL, headers={"HX-Request": "true", "HX-Target": "results"}).content.decode()
    assert part.lstrip().startswith('<div id="results"')
    assert "<html" not in part
    headers = {"HX-Request": "true", "HX-Target": "results", "HX-History-Restore-Request": "true"}
    assert "<html" in page.get(URL, headers=headers).content.decode()


def test_an_older_classifiers_verdict_is_marked(
    page: Client, owner: User, done_track: Callable[..., Track], version: ModelVersion
) -> None:
    done_track(owner)
    assert "older classifier" not in page.get(URL).content.decode()
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=False)
    assert "older classifier" in page.get(URL).content.decode()


# --- keeping rows up to date ------------------------------------------------------------------------------
def rows(client: Client, *watched: str) -> str:
    answer = client.get("/tracks/rows/", {"watch": watched})
    assert answer.status_code == 200
    return answer.content.decode()


def test_only_rows_that_changed_come_back(
    page: Client, owner: User, queued_track: Callable[..., Track], done_track: Callable[..., Track]
) -> None:
    waiting, done = queued_track(owner), done_track(owner)
    running = queued_track(owner, status="running", step="features")
    html = rows(
        page,
        f"history.{waiting.pk}.queued.",
        f"history.{done.pk}.running.save",
        f"upload.{running.pk}.running.decode",
    )
    assert str(waiting.pk) not in html
    assert f'<li class="track-row" id="history-{done.pk}" hx-swap-oob="true" data-row=' in html
    assert (
        f'id="upload-{running.pk}" hx-swap-oob="true" data-watch="upload.{running.pk}.running.features"'
        in html
    )


def test_one_track_may_be_in_two_lists(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner)
    html = rows(page, f"upload.{track.pk}.queued.", f"recent.{track.pk}.queued.")
    assert f'id="upload-{track.pk}"' in html
    assert f'id="recent-{track.pk}"' in html


def test_rows_of_deleted_and_of_other_peoples_tracks_are_taken_out(
    page: Client, other: User, done_track: Callable[..., Track]
) -> None:
    foreign = done_track(other, title="Secret")
    gone = uuid.uuid4()
    html = rows(page, f"history.{foreign.pk}.queued.", f"history.{gone}.queued.")
    assert html == "".join(f'<li id="history-{pk}" hx-swap-oob="delete"></li>' for pk in (foreign.pk, gone))


@pytest.mark.parametrize("nonsense", ["", "x", "history.not-an-id.queued.", "<b>.{pk}.queued.", "history"])
def test_nonsense_is_passed_over(
    page: Client, owner: User, done_track: Callable[..., Track], nonsense: str
) -> None:
    track = done_track(owner)
    assert rows(page, nonsense.replace("{pk}", str(track.pk))) == ""


def test_watching_many_rows_costs_no_more_queries(
    page: Client,
    owner: User,
    done_track: Callable[..., Track],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tracks = [done_track(owner) for _number in range(10)]
    tokens = [f"history.{track.pk}.queued." for track in tracks]
    rows(page, *tokens)
    # The session, its person, the tracks, the genres.
    with django_assert_num_queries(4):
        rows(page, tokens[0])
    with django_assert_num_queries(4):
        rows(page, *tokens)
