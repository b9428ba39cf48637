"""The pages of playlists: made, played, arranged, taken along, shared and deleted."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Playlist, Track
from library.services import playlists
from library.tests.conftest import Matrix

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
HTMX = {"HX-Request": "true"}
INDEX, BUILD, ADD = "/playlists/", "/playlists/build/", "/playlists/add/"


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def abc(done_track: Make) -> list[Track]:
    return [done_track(None, title=f"Song {letter}") for letter in "abc"]


def body(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(unescape(response.content.decode()))


def listed(html: str) -> list[str]:
    return re.findall(r'class="track-row-title"><a href="/tracks/[^"]+">([^<]*)</a>', html)


def test_one_is_made_and_played_from_its_page(page: Client, owner: User, abc: list[Track]) -> None:
    assert "No playlists yet" in body(page.get(INDEX))
    made = page.post(INDEX, {"title": "Evening", "track": [str(t.pk) for t in reversed(abc)]})
    playlist = Playlist.objects.get()
    assert made.headers["Location"] == reverse("library:playlist", args=[playlist.pk])
    html = body(page.get(made.headers["Location"]))
    assert listed(html) == ["Song c", "Song b", "Song a"]
    assert 'data-play-all="#playlist-tracks"' in html
    assert [html.index(f'data-play="{track.player_url}"') for track in reversed(abc)] == sorted(
        html.index(f'data-play="{track.player_url}"') for track in abc
    )
    assert "only you can see this" in html
    index = body(page.get(INDEX))
    assert "Evening</a>" in index
    assert "3 tracks" in index
    refused = page.post(INDEX, {"title": "  "})
    assert refused.status_code == 422
    assert "A playlist needs a title." in refused.content.decode()
    assert Playlist.objects.count() == 1
    assert "재생목록" in body(page.get(INDEX, headers={"Accept-Language": "ko"}))


def test_it_is_arranged_by_buttons_and_what_was_taken_out_comes_back(
    page: Client, owner: User, abc: list[Track]
) -> None:
    a, b, c = abc
    playlist = playlists.create(owner=owner, title="List", tracks=abc)
    act = reverse("library:playlist-entries", args=[playlist.pk])

    def do(track: Track, what: str, **more: Any) -> str:
        html = body(page.post(act, {"track": str(track.pk), "act": what, **more}, headers=HTMX))
        assert "<html" not in html
        return html

    assert listed(do(a, "down")) == ["Song b", "Song a", "Song c"]
    html = do(c, "up")
    assert listed(html) == ["Song b", "Song c", "Song a"]
    assert "“Song c” is number 2 now." in html
    assert listed(do(b, "up")) == ["Song b", "Song c", "Song a"]
    html = do(c, "remove")
    assert listed(html) == ["Song b", "Song a"]
    assert "“Song c” is taken out." in html
    assert 'name="place" value="1"' in html
    assert listed(do(c, "back", place="1")) == ["Song b", "Song c", "Song a"]
    assert listed(do(c, "explode")) == listed(do(c, "back", place="-1")) == ["Song b", "Song c", "Song a"]
    # Without a script the whole page comes back, with the way to undo.
    html = body(page.post(act, {"track": str(a.pk), "act": "remove"}))
    assert "<html" in html
    assert 'value="back"' in html
    assert page.post(act, {"track": "x", "act": "up"}).status_code == 302
    assert "Nothing in here yet" in [do(b, "remove"), do(c, "remove")][1]


def test_tracks_are_added_from_their_pages_and_from_a_selection(
    page: Client, owner: User, other: User, abc: list[Track], done_track: Make
) -> None:
    playlist = playlists.create(owner=owner, title="List", tracks=abc[:1])
    theirs = playlists.create(owner=other, title="Not mine", shared=True)
    secret = done_track(other, title="secret")
    assert f"{ADD}?track={abc[0].pk}" in body(page.get(reverse("library:track", args=[abc[0].pk])))
    dialog = body(page.get(ADD, {"track": str(abc[1].pk)}, headers=HTMX))
    assert "Add “Song b” to a playlist" in dialog
    assert "Not mine" not in dialog
    chosen = [str(track.pk) for track in (*abc, secret)]
    assert "Add 3 tracks to a playlist" in body(page.post(ADD, {"track": chosen}, headers=HTMX))
    page.post(ADD, {"track": chosen, "playlist": str(playlist.pk)})
    assert list(playlist.entries.values_list("track", flat=True)) == [track.pk for track in abc]
    page.post(ADD, {"track": chosen[1:], "playlist": "", "title": "New"})
    assert Playlist.objects.get(title="New").entries.count() == 2
    assert "A playlist needs a title." in body(page.post(ADD, {"track": chosen, "playlist": "", "title": ""}))
    for wrong in (theirs.pk, uuid4(), "x"):
        assert page.post(ADD, {"track": chosen, "playlist": str(wrong)}).status_code == 404
    assert not theirs.entries.exists()
    nothing = page.post(ADD, {"track": [str(secret.pk)]}, headers=HTMX)
    assert "Choose at least one track." in nothing.headers["HX-Trigger"]


@pytest.mark.slow
def test_who_sees_and_changes_it(
    client: Client, matrix: Matrix, abc: list[Track], done_track: Make, genres: dict[str, Genre]
) -> None:
    secret = done_track(matrix.owner, title="secret")
    playlist = playlists.create(owner=matrix.owner, title="List", tracks=[secret, *abc])
    address = reverse("library:playlist", args=[playlist.pk])
    file = reverse("library:playlist-file", args=[playlist.pk, "m3u8"])
    changes = [
        (f"library:playlist-{name}", sent)
        for name, sent in (
            ("edit", {"title": "Stolen"}),
            ("entries", {"track": str(abc[0].pk), "act": "remove"}),
            ("delete", {}),
        )
    ]
    for shared in (False, True):
        client.force_login(matrix.owner)
        client.post(reverse("library:playlist-edit", args=[playlist.pk]), {"shared": str(shared).lower()})
        for person in matrix.strangers:
            client.force_login(person)
            assert client.get(address).status_code == client.get(file).status_code == (200 if shared else 404)
            assert ("List" in body(client.get(INDEX))) is shared
            for name, sent in changes:
                assert client.post(reverse(name, args=[playlist.pk]), sent).status_code == 404
        client.logout()
        assert client.get(address).status_code == client.get(INDEX).status_code == 302
    client.force_login(matrix.other)
    html = body(client.get(address))
    assert listed(html) == ["Song a", "Song b", "Song c"]
    assert "3 tracks" in html
    assert "secret" not in html + client.get(file).content.decode()
    assert matrix.owner.email not in html + body(client.get(INDEX))
    assert 'name="act"' not in html
    client.force_login(matrix.owner)
    assert "secret" in client.get(file).content.decode()
    assert "Delete “List”?" in body(
        client.get(reverse("library:playlist-delete", args=[playlist.pk]), headers=HTMX)
    )
    assert Playlist.objects.get().title == "List"
    client.post(reverse("library:playlist-edit", args=[playlist.pk]), {"title": "Renamed"})
    assert Playlist.objects.get().title == "Renamed"
    client.post(reverse("library:playlist-delete", args=[playlist.pk]))
    assert not Playlist.objects.exists()
    assert Track.objects.count() == 4


@pytest.mark.slow
def test_one_is_found_for_some_tracks_for_a_path_and_for_a_mood(
    page: Client, owner: User, other: User, done_track: Make
) -> None:
    seed, end, away = (
        done_track(None, title=title, lenses={"blend": angle})
        for title, angle in (("Seed", 0), ("End", 80), ("Away", -60))
    )
    for angle in (20, 40, 60, -25):
        done_track(None, title=f"At {angle}", lenses={"blend": angle}, tags={"sad": 0.9})
    hidden = done_track(other, title="Kept apart", lenses={"blend": 21}, tags={"sad": 0.99})

    def build(**wish: Any) -> str:
        return body(page.get(f"{BUILD}?{urlencode(wish, doseq=True)}"))

    assert 'name="mood"' in build()
    html = build(like=[seed.pk, hidden.pk], unlike=away.pk, length=5)
    assert listed(html)[:2] == ["At 20", "At 40"]
    assert "Kept apart" not in html
    assert "Like “Seed”" in html
    html = build(**{"from": seed.pk, "to": end.pk, "length": 5})
    assert listed(html) == ["Seed", "At 20", "At 40", "At 60", "End"]
    assert "There are no more that fit." not in html
    assert "There are no more that fit." in build(**{"from": seed.pk, "to": end.pk, "length": 10})
    assert "From “Seed” to “End”" in html
    assert "A path leads from one track to another one." in build(**{"from": seed.pk, "to": seed.pk})
    html = build(mood="sad", surprise=1, seed=3)
    assert sorted(listed(html)) == ["At -25", "At 20", "At 40", "At 60"]
    assert listed(html) == listed(build(mood="sad", surprise=1, seed=3))
    assert "Another surprise" in html
    assert f"{BUILD}?mood=sad&surprise=1" in body(page.get(reverse("library:mood", args=["sad"])))
    html = build(like=seed.pk, q="at 2")
    assert re.findall(r'aria-label="([^"]+): At 20"', html) == ["More like these", "Less like these"]
    assert re.findall(r'aria-label="([^"]+): At 20"', build(**{"from": seed.pk, "q": "at 2"})) == [
        "From",
        "To",
    ]
    assert "No track is called so." in build(like=seed.pk, q="Kept apart")
    for odd in (
        {"like": "x", "length": "1e9", "seed": "-1"},
        {"mood": "bored"},
        {"q": "\0"},
        {"like": uuid4()},
    ):
        build(**odd)
    saved = re.findall(r'type="hidden" name="track" value="([^"]+)"', build(mood="sad"))
    page.post(INDEX, {"title": "Sad", "track": [*saved, str(hidden.pk)]})
    assert Playlist.objects.get().entries.count() == len(saved) == 4
