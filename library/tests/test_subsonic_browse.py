"""OpenSubsonic: artists, albums, songs, lists and search, as far as the caller may see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.subsonic import Player, titles

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


@pytest.fixture
def collection(owner: User, other: User, done_track: Make, queued_track: Make) -> dict[str, Track]:
    """Two albums of Ann's, one of The Bee's, a song without words, and one of somebody else's."""
    return {
        "a1": done_track(owner, title="Alpha", artist="Ann", album="One", year=1999, genre="blues"),
        "a2": done_track(None, title="Beta", artist="Ann", album="One", year=1999, genre="jazz"),
        "b": done_track(None, title="Gamma", artist="The Bee", album="Two", year=2005, genre="blues"),
        "a3": done_track(owner, title="Delta", artist="Ann", album="Three", year=2010, genre="rock"),
        "bare": queued_track(owner, title="Epsilon"),
        "secret": done_track(other, title="Secret", artist="Zoe", album="Secret", genre="metal"),
    }


@pytest.mark.usefixtures("collection")
def test_from_artists_to_a_song(player: Player, collection: dict[str, Track]) -> None:
    index = player("getArtists")["artists"]["index"]
    assert [(letter["name"], [each["name"] for each in letter["artist"]]) for letter in index] == [
        ("A", ["Ann"]),
        ("B", ["The Bee"]),
        ("U", ["Unknown artist"]),
    ]
    assert player("getIndexes")["indexes"]["index"] == index
    ann = index[0]["artist"][0]
    assert ann["albumCount"] == 2
    albums = player("getArtist", id=ann["id"])["artist"]["album"]
    assert [(album["name"], album["songCount"], album["year"]) for album in albums] == [
        ("One", 2, 1999),
        ("Three", 1, 2010),
    ]
    album = player("getAlbum", id=albums[0]["id"])["album"]
    assert (album["artist"], album["duration"], titles(album["song"])) == ("Ann", 6, ["Alpha", "Beta"])
    song = player("getSong", id=album["song"][0]["id"])["song"]
    assert song == album["song"][0]
    assert song.items() >= {"albumId": album["id"], "artistId": ann["id"], "genre": "blues"}.items()
    assert song.items() >= {"suffix": "wav", "contentType": "audio/wav", "size": 4, "duration": 3}.items()
    assert song["path"] == "Ann/One/Alpha.wav"
    # The same by folders.
    folder = player("getMusicDirectory", id=ann["id"])["directory"]
    assert [child["isDir"] for child in folder["child"]] == [True, True]
    inner = player("getMusicDirectory", id=folder["child"][0]["id"])["directory"]
    assert (inner["parent"], titles(inner["child"])) == (ann["id"], ["Alpha", "Beta"])
    assert player("getArtistInfo2", id=ann["id"])["artistInfo2"] == {}


@pytest.mark.slow
def test_what_is_somebody_elses_is_nowhere(player: Player, other: User, collection: dict[str, Track]) -> None:
    theirs = Player(other)("search3", query="Secret")["searchResult3"]
    ids = {kind: theirs[kind][0]["id"] for kind in ("album", "song")}
    artist = theirs["song"][0]["artistId"]
    for method, key in (
        ("getSong", ids["song"]),
        ("getAlbum", ids["album"]),
        ("getArtist", artist),
        ("getArtistInfo2", artist),
        ("getMusicDirectory", artist),
        ("getMusicDirectory", ids["album"]),
        ("getCoverArt", ids["song"]),
        ("getCoverArt", ids["album"]),
        ("stream", ids["song"]),
        ("download", ids["song"]),
        ("scrobble", ids["song"]),
        ("getSimilarSongs2", artist),
        ("getSonicSimilarTracks", ids["song"]),
    ):
        assert player.error(method, id=key) == 70, method
    assert player.error("createPlaylist", name="x", songId=ids["song"]) == 70
    assert player.error("findSonicPath", startSongId=ids["song"], endSongId=collection["b"].pk) == 70
    for method, given in (
        ("search3", {"query": ""}),
        ("getArtists", {}),
        ("getGenres", {}),
        ("getAlbumList2", {"type": "newest", "size": 500}),
        ("getRandomSongs", {"size": 500}),
        ("getSongsByGenre", {"genre": "metal"}),
    ):
        text = str(player(method, **given))
        assert "Secret" not in text
        assert "Zoe" not in text
        assert "metal" not in text


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"type": "alphabeticalByName"}, ["Unknown album", "One", "Three", "Two"]),
        ({"type": "alphabeticalByArtist"}, ["Unknown album", "One", "Three", "Two"]),
        ({"type": "alphabeticalByName", "size": 2, "offset": 1}, ["One", "Three"]),
        ({"type": "newest", "size": 2}, ["Unknown album", "Three"]),
        ({"type": "byYear", "fromYear": 2000, "toYear": 2010}, ["Two", "Three"]),
        ({"type": "byYear", "fromYear": 2010, "toYear": 2000}, ["Three", "Two"]),
        ({"type": "byGenre", "genre": "Blues"}, ["One", "Two"]),
        ({"type": "byGenre", "genre": "polka"}, []),
        ({"type": "starred"}, []),
        ({"type": "newest", "size": 0}, []),
        ({"type": "alphabeticalByName", "musicFolderId": 2}, ["One", "Two"]),
        ({"type": "alphabeticalByName", "musicFolderId": 1}, ["Unknown album", "One", "Three"]),
    ],
)
def test_lists_of_albums(
    player: Player, genres: dict[str, Genre], given: dict[str, Any], names: list[str]
) -> None:
    found = player("getAlbumList2", **given)["albumList2"]["album"]
    assert [album["name"] for album in found] == names
    old = player("getAlbumList", **given)["albumList"]["album"]
    assert [album["title"] for album in old] == names
    if given["type"] == "byGenre" and names:
        # Also its songs of other genres.
        assert found[0]["songCount"] == 2


@pytest.mark.usefixtures("collection")
def test_lists_by_chance(player: Player) -> None:
    albums = player("getAlbumList2", type="random", size=500)["albumList2"]["album"]
    assert sorted(album["name"] for album in albums) == ["One", "Three", "Two", "Unknown album"]
    assert len(player("getAlbumList2", type="random", size=2)["albumList2"]["album"]) == 2

    def drawn(**given: Any) -> list[str]:
        return sorted(titles(player("getRandomSongs", **given)["randomSongs"]["song"]))

    assert drawn(size=500) == ["Alpha", "Beta", "Delta", "Epsilon", "Gamma"]
    assert len(drawn(size=2)) == 2
    assert drawn(genre="blues") == ["Alpha", "Gamma"]
    assert drawn(fromYear=2000, toYear=2006) == ["Gamma"]
    assert drawn(musicFolderId=2) == ["Beta", "Gamma"]


@pytest.mark.usefixtures("collection", "genres")
def test_genres(player: Player) -> None:
    found = {row["value"]: row for row in player("getGenres")["genres"]["genre"]}
    assert found["Blues"] == {"value": "Blues", "songCount": 2, "albumCount": 2}
    assert set(found) == {"Blues", "Jazz", "Rock"}
    songs = player("getSongsByGenre", genre="Blues")["songsByGenre"]["song"]
    assert (titles(songs), songs[0]["genres"]) == (["Alpha", "Gamma"], [{"name": "Blues"}])
    page = player("getSongsByGenre", genre="blues", count=1, offset=1)["songsByGenre"]["song"]
    assert titles(page) == ["Gamma"]


@pytest.mark.usefixtures("collection")
def test_search(player: Player) -> None:
    def found(**given: Any) -> tuple[list[str], list[str], list[str]]:
        result = player("search3", **given)["searchResult3"]
        artists = [each["name"] for each in result["artist"]]
        return artists, [each["name"] for each in result["album"]], titles(result["song"])

    assert found(query="ann") == (["Ann"], [], ["Alpha", "Beta", "Delta"])
    assert found(query="one alpha") == ([], [], ["Alpha"])
    assert found(query="thr*") == ([], ["Three"], ["Delta"])
    assert found(query="nothing-like-it") == ([], [], [])
    everything = found(query='""')
    assert everything == found(query="")
    assert everything[0] == ["Unknown artist", "Ann", "The Bee"]
    assert everything[1] == ["Unknown album", "One", "Three", "Two"]
    assert sorted(everything[2]) == ["Alpha", "Beta", "Delta", "Epsilon", "Gamma"]
    # Page by page the same.
    pages = [
        found(query="", artistCount=1, artistOffset=n, albumCount=1, albumOffset=n, songCount=1, songOffset=n)
        for n in range(5)
    ]
    assert tuple([name for page in pages for name in page[kind]] for kind in range(3)) == everything
    assert found(query="", artistCount=0, albumCount=0, songCount=0) == ([], [], [])
    assert player.error("search3") == 10
    old = player("search2", query="ann")["searchResult2"]
    assert (old["artist"][0]["name"], titles(old["song"])) == ("Ann", ["Alpha", "Beta", "Delta"])


@pytest.mark.usefixtures("collection")
def test_small_things(player: Player, collection: dict[str, Track]) -> None:
    folders = player("getMusicFolders")["musicFolders"]["musicFolder"]
    assert [folder["id"] for folder in folders] == [1, 2]
    assert player.error("getArtists", musicFolderId=3) == 70
    assert player("getLicense")["license"]["valid"] is True
    assert player("getScanStatus")["scanStatus"] == {"scanning": False, "count": 5}
    assert player("getStarred2")["starred2"] == {}
    player("scrobble", id=collection["a1"].pk, time=1_700_000_000_000)
    assert player.error("scrobble") == 10


def test_tempo_and_loudness(player: Player, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    assert "bpm" not in player("getSong", id=track.pk)["song"]
    assert track.current is not None
    track.current.tempo, track.current.loudness, track.current.true_peak = 119.7, -12.5, 0.0
    track.current.save(update_fields=["tempo", "loudness", "true_peak"])
    song = player("getSong", id=track.pk)["song"]
    assert (song["bpm"], song["replayGain"]) == (120, {"trackGain": -5.5, "trackPeak": 1.0})


@pytest.mark.parametrize(
    ("method", "given", "most"),
    [
        ("search3", {"query": "song"}, 6),
        ("search3", {"query": "", "songCount": 500}, 6),
        ("getArtists", {}, 3),
        ("getAlbumList2", {"type": "newest"}, 3),
        ("getAlbumList2", {"type": "random"}, 5),
        ("getRandomSongs", {"size": 500}, 6),
        ("getSongsByGenre", {"genre": "blues"}, 5),
        ("getGenres", {}, 4),
    ],
)
def test_no_query_for_each_row(
    done_track: Make,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    method: str,
    given: dict[str, Any],
    most: int,
) -> None:
    owner = User.objects.create_user("owner@example.org")
    player = Player(owner)
    for number in range(6):
        done_track(owner if number % 2 else None, artist=f"Song {number}", album=f"Song {number}")
    player("ping")
    with django_assert_max_num_queries(most):
        player(method, **given)
