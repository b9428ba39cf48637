"""OpenSubsonic: sounds by range, downloads, covers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponseBase
from pytest_django import Settings

from genreweb.accounts.models import User
from library.models import Track
from library.services import playlists
from library.subsonic import ids
from library.tests.subsonic import Player

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
SOUND = bytes(range(256)) * 4


def body(response: HttpResponseBase) -> bytes:
    chunks: Any = response
    return b"".join(chunks.streaming_content)


def give(track: Track, field: str, name: str, content: bytes) -> None:
    getattr(track, field).save(name, ContentFile(content), save=False)
    track.save(update_fields=[field])


def test_a_sound_is_sent_whole_and_by_range(player: Player, owner: User, queued_track: Make) -> None:
    track = queued_track(owner)
    give(track, "sound", "song.wav", SOUND)
    whole = player.raw("stream.view", id=track.pk, maxBitRate=128)
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "audio/wav")
    assert (whole.headers["Accept-Ranges"], whole.headers["Content-Length"]) == ("bytes", "1024")
    assert body(whole) == SOUND
    part = player.raw("stream", id=track.pk, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.headers["Content-Range"]) == (206, "bytes 10-19/1024")
    assert body(part) == SOUND[10:20]
    assert player.raw("stream", id=track.pk, headers={"Range": "bytes=2000-"}).status_code == 416
    head = player.client.head("/rest/stream", player.parameters(id=track.pk))
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "1024", b"")
    assert player.error("stream") == 10


def test_what_browsers_cannot_play_is_sent_as_they_can(
    player: Player, owner: User, queued_track: Make
) -> None:
    track = queued_track(owner)
    give(track, "rendition", "song.mp3", b"rendition")
    song = player("getSong", id=track.pk)["song"]
    assert (song["suffix"], song["transcodedSuffix"]) == ("wav", "mp3")
    assert song["transcodedContentType"] == "audio/mpeg"
    assert body(player.raw("stream", id=track.pk)) == b"rendition"
    assert body(player.raw("stream", id=track.pk, format="raw")) == b"RIFF"
    assert body(player.raw("download", id=track.pk)) == b"RIFF"


def test_a_download_has_the_title_for_its_name(player: Player, queued_track: Make) -> None:
    track = queued_track(None, title='So "what"/노래')
    response = player.raw("download", id=track.pk)
    named = response.headers["Content-Disposition"]
    assert named.startswith("attachment; filename*=utf-8''So%20%22what%22_%EB%85%B8")
    assert body(response) == b"RIFF"


def test_a_file_that_is_gone(player: Player, owner: User, queued_track: Make) -> None:
    track = queued_track(owner)
    default_storage.delete(str(track.sound.name))
    assert player.error("stream", id=track.pk) == 70


def test_covers(player: Player, owner: User, queued_track: Make, done_track: Make) -> None:
    bare = queued_track(owner, artist="None")
    heard, covered = (done_track(owner, artist="Ann", album="One", title=title) for title in "ab")
    give(covered, "cover", "cover.webp", b"RIFFcover")
    assert "coverArt" not in player("getSong", id=bare.pk)["song"]
    assert player.error("getCoverArt", id=bare.pk) == 70
    assert player.error("getCoverArt", id=ids.artist_id("None")) == 70
    picture = player.raw("getCoverArt", id=player("getSong", id=heard.pk)["song"]["coverArt"], size=300)
    assert (picture.headers["Content-Type"], body(picture)) == ("image/webp", b"RIFFwebp")
    album = player("getAlbum", id=ids.album_id("Ann", "One"))["album"]
    artist = player("getArtist", id=album["artistId"])["artist"]
    playlist = playlists.create(owner=owner, title="List", tracks=[heard, covered])
    listed = player("getPlaylist", id=playlist.pk)["playlist"]
    for key in (covered.pk, album["coverArt"], artist["coverArt"], listed["coverArt"]):
        assert body(player.raw("getCoverArt", id=key)) == b"RIFFcover", key


def test_a_bucket_sends_its_files_itself(
    player: Player, owner: User, queued_track: Make, settings: Settings
) -> None:
    track = queued_track(owner)
    settings.S3_BUCKET = "bucket"
    response = player.raw("stream", id=track.pk)
    assert (response.status_code, response.headers["Location"]) == (302, track.sound.url)
