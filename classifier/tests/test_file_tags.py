"""What files say of themselves is read from every container, and believed in nothing."""

from __future__ import annotations

import io
import struct
import zlib

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from PIL import Image

from classifier.core.file_tags import FileTags, read_file_tags
from classifier.tests.id3 import cover, frame, id3v1, id3v2
from classifier.tests.sounds import encode, tune

_MP3 = encode(tune(2.0), "mp3")
# Without the tag that FFmpeg writes in front.
MP3 = _MP3[10 + int.from_bytes(_MP3[6:10], "big") :] if _MP3.startswith(b"ID3") else _MP3


def tags_of(content: bytes) -> FileTags:
    return read_file_tags(io.BytesIO(content))


def tagged(container: str, codec: str, **words: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        out.metadata.update(words)
        stream = out.add_stream(codec, rate=48000, layout="mono")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        resampler = av.AudioResampler(stream.format, "mono", 48000, frame_size=stream.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec"),
    [("flac", "flac"), ("ogg", "libopus"), ("mp4", "aac"), ("mp3", "libmp3lame"), ("matroska", "libopus")],
)
def test_tags_are_read_from_every_container(container: str, codec: str) -> None:
    words = {"title": "봄날", "artist": "Björk", "album": "Größe", "genre": "Polka", "date": "1997-05-21"}
    expected = FileTags(title="봄날", artist="Björk", album="Größe", genre="Polka", year=1997)
    assert tags_of(tagged(container, codec, **words)) == expected


def test_legacy_encodings_are_repaired() -> None:
    declared_latin = id3v2(
        frame("TIT2", b"\0" + "봄날".encode("cp949")),
        frame("TPE1", b"\1" + "Björk".encode("utf-16")),
        frame("TALB", b"\0" + "Größe".encode("latin-1")),
    )
    tags = tags_of(declared_latin + MP3)
    assert (tags.title, tags.artist, tags.album) == ("봄날", "Björk", "Größe")
    old = tags_of(
        MP3 + id3v1(title="Группа крови".encode("cp1251"), artist="Кино".encode("cp1251"), year=b"1988")
    )
    assert (old.title, old.artist, old.year) == ("Группа крови", "Кино", 1988)


def test_a_cover_is_encoded_anew_and_small() -> None:
    tags = tags_of(id3v2(frame("APIC", b"\0image/jpeg\0\3\0" + cover("JPEG", (1200, 900)))) + MP3)
    assert tags.cover is not None
    with Image.open(io.BytesIO(tags.cover)) as image:
        assert (image.format, image.size) == ("WEBP", (512, 384))


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"\xff\xd8\xff\xe0 no picture",
        cover("PNG")[:60],
        # A PNG head that claims 60,000 by 60,000 pixels.
        b"\x89PNG\r\n\x1a\n"
        + b"\0\0\0\rIHDR"
        + (head := struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
        + struct.pack(">I", zlib.crc32(b"IHDR" + head)),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_a_damaged_or_enormous_cover_is_left_out(picture: bytes) -> None:
    tags = tags_of(id3v2(frame("TIT2", b"\3Kept"), frame("APIC", b"\0image/png\0\3\0" + picture)) + MP3)
    assert (tags.title, tags.cover) == ("Kept", None)


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("1997", 1997),
        ("2001-02-03T04:05", 2001),
        ("03.02.1999", 1999),
        ("99", None),
        ("20011", None),
        ("x", None),
    ],
)
def test_years(date: str, year: int | None) -> None:
    assert tags_of(id3v2(frame("TDRC", b"\3" + date.encode()), version=4) + MP3).year == year


def test_hostile_words_are_cut() -> None:
    tags = tags_of(id3v2(frame("TIT2", b"\3" + b"x" * 1_000_000)) + MP3)
    assert tags.title == "x" * 500


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"ID3\3\0\0\x7f\x7f\x7f\x7f" + b"\xff" * 100])
def test_what_is_no_audio_has_no_tags(content: bytes) -> None:
    assert tags_of(content) == FileTags()


def test_a_storage_that_fails_is_told() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the storage is away")

    with pytest.raises(OSError, match="away"):
        read_file_tags(Failing(MP3))
