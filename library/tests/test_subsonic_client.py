"""The OpenSubsonic API through a client library that is not ours, over HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import libopensonic
import pytest
from django.core.files.base import ContentFile
from libopensonic.errors import CredentialError, DataNotFoundError, SonicError
from PIL import Image
from pytest_django.live_server_helper import LiveServer

from genreweb.accounts.models import User
from genreweb.accounts.tokens import create_token
from library.models import Playlist, Track

Make = Callable[..., Track]
Connect = Callable[..., libopensonic.Connection]


@pytest.fixture
def connect(live_server: LiveServer) -> Iterator[Connect]:
    """Return a function that connects to the site; connections are closed at the end."""
    address = urlsplit(live_server.url)
    made: list[libopensonic.Connection] = []

    def connection(**options: object) -> libopensonic.Connection:
        made.append(libopensonic.Connection(f"http://{address.hostname}", port=address.port or 0, **options))
        return made[-1]

    yield connection
    for each in made:
        each.cleanup()
        each._loop.close()


def received(connection: libopensonic.Connection, song: str, **options: object) -> bytes:
    """Read what a stream sends, in the loop that the library keeps for itself."""

    response = connection.stream(song, **options)
    sent: bytes = asyncio.run_coroutine_threadsafe(response.read(), connection._loop).result(timeout=30)
    return sent


def covered(connection: libopensonic.Connection, key: str, size: int | None) -> bytes:
    """Read the cover that a player is sent."""
    response = connection.get_cover_art(key, size)
    sent: bytes = asyncio.run_coroutine_threadsafe(response.read(), connection._loop).result(timeout=30)
    return sent


@pytest.mark.slow
@pytest.mark.parametrize("use_get", [False, True], ids=["POST", "GET"])
def test_it_does_the_main_job(
    connect: Connect, owner: User, other: User, done_track: Make, use_get: bool
) -> None:
    songs = [
        done_track(owner, title=f"Song {angle}", artist="Ann", album="One", angle=float(angle), year=1999)
        for angle in (0, 20, 90)
    ]
    secret = done_track(other, title="Song of somebody else")
    player = connect(api_key=create_token(user=owner)[1], use_get=use_get)
    assert player.ping()
    assert {each.name for each in player.get_open_subsonic_extensions()} >= {
        "apiKeyAuthentication",
        "formPost",
        "sonicSimilarity",
    }
    assert player.token_info().username == owner.email
    assert player.get_user(owner.email).stream_role

    found = player.search3("song")
    assert {song.id for song in found.song} == {str(track.pk) for track in songs}
    assert (found.song[0].artist, found.song[0].year, found.song[0].duration) == ("Ann", 1999, 3)
    [index] = player.get_artists().index
    [album] = player.get_artist(index.artist[0].id).album
    assert len(player.get_album(album.id).song) == album.song_count == 3
    assert [each.id for each in player.get_album_list2("alphabeticalByName")] == [album.id]
    assert player.get_genres()[0].song_count == 3
    assert len(player.get_random_songs(size=2)) == 2

    first = str(songs[0].pk)
    with songs[0].sound.open("rb") as file:
        stored = file.read()
    assert received(player, first, tformat="raw") == stored
    assert received(player, first, byte_range="bytes=1-2") == stored[1:3]

    near = player.get_sonic_similar_tracks(first)
    assert [(match.entry.title, match.similarity > 0.2) for match in near] == [
        ("Song 20", True),
        ("Song 90", True),
    ]
    assert near[0].similarity > near[1].similarity
    path = player.find_sonic_path(first, str(songs[2].pk), count=3)
    assert [match.entry.title for match in path] == ["Song 0", "Song 20", "Song 90"]
    assert path[0].similarity == 1.0
    assert [song.title for song in player.get_similar_songs2(first)] == ["Song 20", "Song 90"]

    assert player.create_playlist(name="From a player", song_ids=[str(songs[2].pk), first])
    [listed] = player.get_playlists()
    assert [song.id for song in player.get_playlist(listed.id).entry] == [str(songs[2].pk), first]
    assert player.update_playlist(listed.id, song_indices_to_remove=[0])
    assert Playlist.objects.get().entries.count() == 1
    assert player.delete_playlist(listed.id)
    assert not Playlist.objects.exists()

    with pytest.raises(DataNotFoundError):
        player.get_song(str(secret.pk))
    with pytest.raises(DataNotFoundError):
        received(player, str(secret.pk))


def test_it_shows_covers_as_small_as_it_likes(connect: Connect, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    picture = io.BytesIO()
    Image.new("RGB", (400, 400)).save(picture, "WEBP")
    track.cover.save("cover.webp", ContentFile(picture.getvalue()))
    player = connect(api_key=create_token(user=owner)[1])
    for size, side in ((None, 400), (64, 64)):
        with Image.open(io.BytesIO(covered(player, str(track.pk), size))) as cover:
            assert cover.size == (side, side)


def test_how_it_signs_in(connect: Connect, owner: User) -> None:
    secret = create_token(user=owner)[1]
    assert connect(username=owner.email, password=secret, legacy_auth=True).ping()
    with pytest.raises(SonicError, match="API token"):
        connect(username=owner.email, password=secret).ping()
    with pytest.raises(CredentialError):
        connect(username=owner.email, password="wrong", legacy_auth=True).ping()
