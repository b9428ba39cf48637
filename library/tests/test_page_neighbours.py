"""The neighbours on a track's page, by the lens that the reader chooses; and the track's key."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track


def page(client: Client, track: Track) -> str:
    response = client.get(reverse("library:track", args=[track.pk]))
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    """Return the text of a page without tags, with plain spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture
def owner_client(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def test_neighbours_are_shown_nearest_first_and_none_that_the_viewer_may_not_see(
    owner_client: Client, owner: User, other: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, title="Itself")
    done_track(owner, title="Far", angle=60.0)
    near = done_track(None, title="Near", artist="The Nears", angle=5.0)
    done_track(other, title="Secret", angle=1.0)
    html = page(owner_client, track)
    cards = html[html.index('id="neighbours-title"') : html.index('id="details-title"')]
    assert cards.index("Near</a>") < cards.index("Far</a>")
    assert "The Nears" in cards
    assert "Secret" not in html
    assert "Itself" not in cards
    assert f'data-play="{near.player_url}"' in cards
    assert reverse("library:track", args=[near.pk]) in cards
    assert re.search(r"the same harmony.*?distance 0\.09", words(cards))
    assert re.search(r"similar harmony.*?distance 1\.00", words(cards))


def test_without_neighbours_the_page_says_where_they_would_come_from(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    assert "nothing to compare with yet" in words(page(owner_client, done_track(owner)))


def test_the_key_is_named(client: Client, done_track: Callable[..., Track]) -> None:
    assert "Key F♯ minor" in words(page(client, done_track(None, key="F# minor")))
    assert "Key " not in words(page(client, done_track(None)))


def test_neighbours_by_another_lens(
    owner_client: Client, owner: User, other: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, lenses={"blend": 0, "sound": 0})
    done_track(None, title="Blended", angle=90, lenses={"blend": 10, "sound": 80})
    done_track(None, title="Sounding", angle=80, lenses={"blend": 50, "sound": 20})
    done_track(None, title="Third", angle=85, lenses={"blend": 60, "sound": 60})

    def order(html: str) -> list[str]:
        return re.findall(r'neighbour-title"><a[^>]*>(\w+)<', html)

    html = page(owner_client, track)
    assert order(html) == ["Blended", "Sounding", "Third"]
    assert 'id="lens-blend"' in html
    assert re.search(r'id="lens-blend"[^>]*aria-current="true"', html)
    assert "The named genre plays no part in it." in words(html)
    address = reverse("library:track-neighbours", args=[track.pk])
    part = owner_client.get(f"{address}?by=sound", headers={"HX-Request": "true"}).content.decode()
    assert order(part) == ["Sounding", "Third", "Blended"]
    assert re.search(r'id="lens-sound"[^>]*aria-current="true"', part)
    assert "<html" not in part
    whole = owner_client.get(reverse("library:track", args=[track.pk]), {"by": "sound"}).content.decode()
    assert order(whole) == order(part)
    assert order(page(owner_client, track)) == ["Blended", "Sounding", "Third"]
    assert "mood" not in re.findall(r'id="lens-(\w+)"', html)
    assert owner_client.get(address).status_code == 302
    owner_client.force_login(other)
    assert owner_client.get(address, headers={"HX-Request": "true"}).status_code == 404


def test_the_page_says_when_harmony_stands_in(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    html = page(owner_client, done_track(owner))
    assert "so these are found by harmony" in words(html)
