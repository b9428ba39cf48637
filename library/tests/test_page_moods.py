"""Music for a mood: who sees what, the order, playing in place, and empty states."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from classifier.core.tags import MOODS
from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Matrix
from library.views import moods

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


def page(client: Client, mood: str = "", query: str = "") -> str:
    url = reverse("library:mood", args=[mood]) if mood else reverse("library:moods")
    response = client.get(url + query)
    assert response.status_code == 200
    return response.content.decode()


def titles(html: str) -> list[str]:
    return re.findall(r'class="track-row-title"><a href="[^"]+">([^<]*)</a>', html)


def test_each_sees_their_own_tracks_and_the_catalogue(
    client: Client, matrix: Matrix, done_track: Make
) -> None:
    done_track(matrix.owner, title="Private", tags={"sad": 0.99})
    done_track(matrix.owner, title="Published", tags={"sad": 0.9}, visibility="catalogue")
    done_track(None, title="Imported", tags={"sad": 0.95})
    assert titles(page(client, "sad")) == ["Imported", "Published"]
    assert "Private" not in page(client)
    for person in matrix.strangers:
        client.force_login(person)
        assert titles(page(client, "sad")) == ["Imported", "Published"]
        assert "Private" not in page(client)
    client.force_login(matrix.owner)
    assert titles(page(client, "sad")) == ["Private", "Imported", "Published"]
    assert "Private" in page(client)


def test_only_what_is_strong_is_recommended_and_plays_in_place(
    client: Client, owner: User, done_track: Make
) -> None:
    client.force_login(owner)
    strong = done_track(owner, title="Strong", tags={"mellow": 0.93})
    done_track(owner, title="Weak", tags={"mellow": 0.75})
    done_track(owner, title="Other", tags={"happy": 0.93})
    html = page(client, "mellow")
    assert titles(html) == ["Strong"]
    assert f'data-play="{strong.player_url}"' in html
    assert "93\u202f%" in html
    assert f'data-play="{strong.player_url}"' in page(client)


def test_the_overview_names_every_mood_and_its_strongest_tracks(
    client: Client, owner: User, done_track: Make
) -> None:
    client.force_login(owner)
    for place in range(5):
        done_track(owner, title=f"Song {place}", tags={"party": 0.9 + place / 100})
    html = page(client)
    assert all(reverse("library:mood", args=[mood]) in html for mood in MOODS)
    card = html.split(reverse("library:mood", args=["party"]))[1].split("</section>")[0]
    assert re.findall(r">(Song \d)<", card) == ["Song 4", "Song 3", "Song 2"]
    assert html.count("Nothing yet") == len(MOODS) - 1


def test_empty_states_say_what_to_do(client: Client, owner: User, done_track: Make) -> None:
    for html in (page(client), page(client, "sad")):
        assert "Nothing for this mood yet" in html
        assert "Sign in to find music" in html
    client.force_login(owner)
    for html in (page(client), page(client, "sad")):
        assert "analyse your tracks again" in html
    done_track(owner, tags={"happy": 0.9})
    assert "Nothing for this mood yet" not in page(client)
    assert "Nothing for this mood yet" in page(client, "sad")


def test_the_pages_are_in_the_navigation_and_in_korean(client: Client) -> None:
    assert f'href="{reverse("library:moods")}"' in client.get(reverse("library:catalogue")).content.decode()
    with translation.override("ko"):
        html = client.get(reverse("library:moods"), headers={"Accept-Language": "ko"}).content.decode()
    assert "분위기에 맞는 음악" in html
    assert "느긋한" in html


@pytest.mark.parametrize("mood", ["jazz", "polka", "SAD", "sad%00", "sad'--"])
def test_what_is_no_mood_is_not_found(client: Client, mood: str) -> None:
    assert client.get(f"/moods/{mood}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_they_are_only_read(client: Client, method: str) -> None:
    for url in (reverse("library:moods"), reverse("library:mood", args=["sad"])):
        assert getattr(client, method)(url).status_code == 405


def test_pages(client: Client, done_track: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moods, "PER_PAGE", 2)
    for place in range(5):
        done_track(None, title=f"Song {place}", tags={"sad": 0.9 + place / 100}, catalogue_key=f"{place}")
    assert titles(page(client, "sad", "?page=2")) == ["Song 2", "Song 1"]
    assert titles(page(client, "sad", "?page=99")) == ["Song 0"]
    assert titles(page(client, "sad", "?page=x")) == ["Song 4", "Song 3"]


def test_the_number_of_queries_does_not_grow(
    client: Client,
    done_track: Make,
    genres: dict[str, Genre],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    everything = dict.fromkeys(MOODS, 0.95)
    done_track(None, tags=everything, catalogue_key="first")
    page(client)
    for count in (1, 12):
        # The moods, and the version in the footer.
        with django_assert_num_queries(3):
            page(client)
        # The page, the genres, the version in the footer.
        with django_assert_num_queries(3):
            page(client, "sad")
        for place in range(12):
            done_track(None, tags=everything, catalogue_key=f"{count}-{place}", labelled_genre=genres["rock"])
