"""The start page, for visitors and for users with tracks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track

HOME = "/"


def test_a_stranger_is_told_what_it_does_and_how_to_begin(client: Client, genres: dict[str, Genre]) -> None:
    page = client.get(HOME)
    assert page.status_code == 200
    html = page.content.decode()
    assert reverse("account_signup") in html
    assert reverse("account_login") in html
    assert reverse("library:upload") not in html
    for genre in genres.values():
        assert f"--genre: {genre.colour}" in html


@pytest.mark.django_db
def test_a_closed_site_offers_no_account(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    html = client.get(HOME).content.decode()
    assert reverse("account_signup") not in html
    assert reverse("account_login") in html


def test_a_person_sees_the_drop_zone_with_the_limits_of_the_site(
    client: Client, owner: User, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES = 7 * 2**20
    client.force_login(owner)
    html = client.get(HOME).content.decode()
    assert f'action="{reverse("library:upload")}"' in html
    assert 'enctype="multipart/form-data"' in html
    assert "up to 7 MB" in html
    assert '"maxBytes": 7340032' in html
    assert "at most 7 MB are accepted" in html


def test_recent_tracks_are_ones_own_the_newest_five(
    client: Client, owner: User, other: User, done_track: Callable[..., Track]
) -> None:
    tracks = [done_track(owner, title=f"Piece {number}") for number in range(6)]
    foreign = done_track(other, title="Not mine")
    client.force_login(owner)
    html = client.get(HOME).content.decode()
    for track in tracks[1:]:
        assert f'id="recent-{track.pk}"' in html
    assert str(tracks[0].pk) not in html
    assert str(foreign.pk) not in html


def test_the_number_of_queries_does_not_depend_on_the_rows(
    client: Client,
    owner: User,
    done_track: Callable[..., Track],
    genres: dict[str, Genre],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(owner)
    done_track(owner, unsure=True)
    client.get(HOME)
    # The session, its person, the tracks, the genres, whether the person curates and their news.
    with django_assert_num_queries(6):
        client.get(HOME)
    for _number in range(4):
        done_track(owner, genre="jazz", unsure=True)
    with django_assert_num_queries(6):
        client.get(HOME)


def test_every_page_can_be_read_in_korean(client: Client, owner: User) -> None:
    assert '<html lang="en">' in client.get(HOME).content.decode()
    answer = client.post(reverse("set_language"), {"language": "ko", "next": HOME})
    assert answer.status_code == 302
    assert '<html lang="ko">' in client.get(HOME).content.decode()


def test_titles_and_names_cannot_bring_markup_along(
    client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    done_track(owner, title='<script>alert("x")</script>" onclick="y')
    client.force_login(owner)
    html = client.get(HOME).content.decode()
    assert "<script>alert" not in html
    assert '" onclick="y' not in html
