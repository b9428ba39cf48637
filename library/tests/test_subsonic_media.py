"""OpenSubsonic: sounds by range, downloads, covers."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponseBase
from PIL import Image
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


def test_where_nothing_is_encoded_the_nearest_file_is_chosen(
    player: Player, owner: User, queued_track: Make, settings: Settings
) -> None:
    """Three seconds of sound: 3 kB at 8 kbit/s, 96 kB at 256 kbit/s."""
    settings.ENCODED_COPIES_BYTES = 0
    recording, lossless = queued_track(owner), queued_track(owner)
    for track, sound, played in ((recording, 3_000, 96_000), (lossless, 96_000, 3_000)):
        give(track, "sound", "song.aiff", b"s" * sound)
        give(track, "rendition", "song.mp3", b"r" * played)
        Track.objects.filter(pk=track.pk).update(size=sound, duration=3.0)

    def sent(track: Track, **given: Any) -> bytes:
        return body(player.raw("stream", id=track.pk, **given))[:1]

    asked: tuple[dict[str, Any], ...]
    asked = ({}, {"maxBitRate": 0}, {"maxBitRate": 256}, {"maxBitRate": 64}, {"maxBitRate": 1})
    assert [sent(recording, **given) for given in asked] == [b"r", b"r", b"r", b"s", b"s"]
    assert [sent(lossless, **given) for given in asked] == [b"r"] * 5
    for track in (recording, lossless):
        formats = ("raw", "aiff", "MP3", "opus")
        assert [sent(track, format=name) for name in formats] == [b"s", b"s", b"r", b"r"]
        # What is asked for by its format is sent at the bit rate that it has.
        assert sent(track, format="mp3", maxBitRate=8) == b"r"
        assert sent(track, format="raw", maxBitRate=8) == b"s"
    assert player.error("stream", id=lossless.pk, maxBitRate="many") == 0


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


def test_covers_are_made_as_small_as_they_are_asked_for(
    player: Player, owner: User, done_track: Make
) -> None:
    track, damaged = done_track(owner), done_track(owner)
    picture = io.BytesIO()
    Image.new("RGB", (500, 250), "teal").save(picture, "WEBP")
    give(track, "cover", "cover.webp", picture.getvalue())
    give(damaged, "cover", "cover.webp", b"RIFFcover")
    for size, expected in (("100", (100, 50)), ("1", (1, 1)), (str(10**9), (500, 250)), ("0", (500, 250))):
        response: Any = player.raw("getCoverArt", id=track.pk, size=size)
        assert response.headers["Content-Type"] == "image/webp"
        content = response.content if size in ("100", "1") else body(response)
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.size) == ("WEBP", expected), size
    assert body(player.raw("getCoverArt", id=damaged.pk, size=100)) == b"RIFFcover"
    assert player.error("getCoverArt", id=track.pk, size="large") == 0
    default_storage.delete(str(track.cover.name))
    assert player.error("getCoverArt", id=track.pk, size=100) == 70


def test_a_bucket_sends_its_files_itself(
    player: Player, owner: User, queued_track: Make, settings: Settings
) -> None:
    track = queued_track(owner)
    settings.S3_BUCKET = "bucket"
    response = player.raw("stream", id=track.pk)
    assert (response.status_code, response.headers["Location"]) == (302, track.sound.url)
