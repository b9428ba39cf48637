"""OpenSubsonic: the site's playlists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genreweb.accounts.models import User
from library.models import Playlist, Track
from library.services import playlists
from library.tests.subsonic import Player, titles

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


def entries(player: Player, playlist: str) -> list[str]:
    return titles(player("getPlaylist", id=playlist)["playlist"].get("entry", []))


@pytest.mark.slow
def test_made_read_changed_and_deleted(player: Player, owner: User, done_track: Make) -> None:
    a, b, c = (done_track(None, title=title) for title in "abc")
    made = player("createPlaylist", name="List", songId=[b.pk, a.pk, b.pk])["playlist"]
    assert made.items() >= {"name": "List", "songCount": 2, "duration": 6, "owner": owner.email}.items()
    assert (made["public"], made["readonly"], titles(made["entry"])) == (False, False, ["b", "a"])
    key = made["id"]
    assert Playlist.objects.get(pk=key).owner == owner
    [listed] = player("getPlaylists")["playlists"]["playlist"]
    assert listed == {name: value for name, value in made.items() if name != "entry"}
    player("updatePlaylist", playlistId=key, name="Other", public="true", songIdToAdd=[c.pk])
    assert entries(player, key) == ["b", "a", "c"]
    player("updatePlaylist", playlistId=key, songIndexToRemove=[0, 2, 7, -1], songIdToAdd=b.pk, comment="x")
    assert entries(player, key) == ["a", "b"]
    found = Playlist.objects.get(pk=key)
    assert (found.title, found.shared) == ("Other", True)
    # The whole of it in another order.
    again = player("createPlaylist", playlistId=key, songId=[c.pk, b.pk])["playlist"]
    assert (again["name"], titles(again["entry"]), entries(player, key)) == ("Other", ["c", "b"], ["c", "b"])
    player("createPlaylist", playlistId=key)
    assert entries(player, key) == []
    player("deletePlaylist", id=key)
    assert not Playlist.objects.exists()
    assert player.error("getPlaylist", id=key) == 70


def test_what_is_refused_changes_nothing(
    player: Player, owner: User, done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = done_track(None, title="a"), done_track(None, title="b")
    assert player.error("createPlaylist") == 10
    assert player.error("createPlaylist", name="\u200b") == 0
    assert player.error("createPlaylist", name="x", songId="nothing") == 70
    assert not Playlist.objects.exists()
    key = playlists.create(owner=owner, title="List", tracks=[a]).pk
    assert player.error("updatePlaylist", playlistId=key, songIndexToRemove="first") == 0
    assert player.error("updatePlaylist", playlistId=key, public="perhaps") == 0
    monkeypatch.setattr(playlists, "MOST_ENTRIES", 1)
    assert player.error("updatePlaylist", playlistId=key, name="Other", songIdToAdd=b.pk) == 0
    assert player.error("createPlaylist", playlistId=key, songId=[b.pk, a.pk]) == 0
    assert (Playlist.objects.get().title, entries(player, str(key))) == ("List", ["a"])


def test_who_may_see_and_change_what(player: Player, owner: User, other: User, done_track: Make) -> None:
    hidden, public = done_track(owner, title="hidden"), done_track(None, title="public")
    key = playlists.create(owner=owner, title="List", tracks=[hidden, public]).pk
    theirs = Player(other)
    changes = (
        ("updatePlaylist", {"playlistId": key, "name": "Mine"}),
        ("createPlaylist", {"playlistId": key, "songId": public.pk}),
        ("deletePlaylist", {"id": key}),
    )
    assert theirs.error("getPlaylist", id=key) == 70
    assert [theirs.error(method, **given) for method, given in changes] == [70] * 3
    player("updatePlaylist", playlistId=key, public="true")
    [listed] = theirs("getPlaylists")["playlists"]["playlist"]
    assert (listed["songCount"], listed["readonly"], listed["owner"]) == (1, True, "")
    assert entries(theirs, str(key)) == ["public"]
    assert [theirs.error(method, **given) for method, given in changes] == [50] * 3
    theirs("createPlaylist", name="A")
    assert [each["name"] for each in theirs("getPlaylists")["playlists"]["playlist"]] == ["A", "List"]
    assert theirs.error("getPlaylists", username=owner.email) == 50
    assert (Playlist.objects.get(pk=key).title, entries(player, str(key))) == ("List", ["hidden", "public"])


def test_what_its_owner_may_no_longer_see_keeps_its_place(
    player: Player, owner: User, other: User, done_track: Make
) -> None:
    a, lost, b, c = (done_track(None, title=title) for title in ("a", "lost", "b", "c"))
    key = playlists.create(owner=owner, title="List", tracks=[a, lost, b]).pk
    Track.objects.filter(pk=lost.pk).update(owner=other, visibility=Track.Visibility.PRIVATE)
    player("createPlaylist", playlistId=key, songId=[c.pk, a.pk])
    player("updatePlaylist", playlistId=key, songIndexToRemove=0)
    assert entries(player, str(key)) == ["a"]
    Track.objects.filter(pk=lost.pk).update(visibility=Track.Visibility.CATALOGUE)
    assert sorted(entries(player, str(key))) == ["a", "lost"]
