"""Fields in the tags of files of every format: written, read back by another library, and refused."""

from __future__ import annotations

import io
import tempfile
import zlib
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream

from classifier import tag_files
from classifier.core.audio import decode
from classifier.core.tag_writing import TagWritingError
from classifier.tests.id3 import frame, id3v2

WRITTEN = {"genre": ["Blues"], "mood": ["Mellow", "행복한"], "key": ["Ebm"], "year": ["1959"]}


def encoded(container: str, codec: str, layout: str = "mono") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast(AudioStream, out.add_stream(codec, rate=48000, layout=layout, options={"strict": "-2"}))
        out.metadata.update({"title": "제목", "artist": "Somebody", "genre": "Polka"})
        tone = (np.sin(np.arange(96_000) / 20) * 8000).astype(np.int16)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        sound.sample_rate = 48000
        resampler = av.AudioResampler(stream.format, layout, 48000, frame_size=stream.frame_size)
        for part in (*resampler.resample(sound), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("mp3", "libmp3lame"), ("wav", "pcm_s16le"), ("aiff", "pcm_s16be"), ("flac", "flac")),
        *(("ogg", "vorbis"), ("ogg", "libopus"), ("ipod", "aac")),
    ],
)
def test_fields_are_written_and_everything_else_stays(container: str, codec: str) -> None:
    sound = encoded(container, codec, "stereo" if codec == "vorbis" else "mono")
    before = decode(io.BytesIO(sound)).samples
    with tempfile.TemporaryFile() as file:
        file.write(sound)
        read = tag_files.read_fields(file)
        has_tags = container not in ("wav", "aiff")
        assert read.get("genre") == (["Polka"] if has_tags else None)
        after = tag_files.write_fields(file, WRITTEN)
        assert {name: after[name] for name in WRITTEN} == WRITTEN
        assert after.get("title") == (["제목"] if has_tags else None)
        file.seek(0)
        content = file.read()
        assert tag_files.write_fields(file, {"mood": []}).get("mood") is None
    with av.open(io.BytesIO(content)) as opened:
        told = {
            **opened.metadata,
            **{name: text for s in opened.streams for name, text in s.metadata.items()},
        }
        found = {name.casefold(): text for name, text in told.items()}
    assert found["genre"] == "Blues"
    assert "1959" in (found.get("date", ""), found.get("year", ""))
    assert np.array_equal(decode(io.BytesIO(content)).samples, before)


@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"\0", "latin-1"), (b"\1", "utf-16"), (b"\2", "utf-16-be"), (b"\3", "utf-8")]
)
@pytest.mark.parametrize("version", [3, 4])
def test_tags_in_every_encoding_of_id3_are_read_and_kept(mark: bytes, encoding: str, version: int) -> None:
    """As most programs write them: of version 2.3 in Latin-1 or UTF-16."""
    sound = encoded("mp3", "libmp3lame")
    bare = sound[10 + sum(byte << shift for byte, shift in zip(sound[6:10], (21, 14, 7, 0), strict=True)) :]
    title = frame("TIT2", mark + "Café".encode(encoding))
    with tempfile.TemporaryFile() as file:
        file.write(id3v2(title, version=version) + bare)
        assert tag_files.read_fields(file) == {"title": ["Café"]}
        after = tag_files.write_fields(file, {"genre": ["Blues"]})
    assert after == {"title": ["Café"], "genre": ["Blues"]}


def test_tta_is_written_and_written_again() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(encoded("tta", "tta"))
        assert tag_files.write_fields(file, {"genre": ["Blues"]})["genre"] == ["Blues"]
        assert tag_files.write_fields(file, {"mood": ["Mellow"]})["genre"] == ["Blues"]
        file.seek(0)
        assert decode(file).info.codec == "tta"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unsupported"),
        (b"only words " * 100, "unsupported"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(100), "unsupported"),
        (b"RF64" + b"\xff" * 4 + b"WAVE" + bytes(100), "unsupported"),
        (b"fLaC" + b"\xff" * 100, "unreadable"),
        (b"\x1a\x45\xdf\xa3webm" + b"\0" * 200, "unsupported"),
    ],
)
def test_what_has_no_tags_is_refused(content: bytes, code: str) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        with pytest.raises(TagWritingError) as refused:
            tag_files.write_fields(file, WRITTEN)
    assert refused.value.code == code


@pytest.mark.slow
def test_a_frame_that_grows_to_gigabytes_ends_the_process_alone() -> None:
    # A piece after which the packer begins afresh can be written again and again. The checksum is Adler's.
    packer, times = zlib.compressobj(9, wbits=-zlib.MAX_WBITS), 2000
    piece = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (times * 2**20 % 65521 << 16) + 1
    packed = b"\x78\xda" + times * piece + packer.flush() + checksum.to_bytes(4, "big")

    def safe(number: int) -> bytes:
        return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))

    # Compressed, with the length of what it holds (ID3v2.4, 4.1.2).
    frame = b"APIC" + safe(len(packed) + 4) + b"\x00\x09" + b"\x7f\x7f\x7f\x7f" + packed
    with tempfile.TemporaryFile() as file:
        file.write(b"ID3\x04\x00\x00" + safe(len(frame)) + frame + encoded("mp3", "libmp3lame"))
        with pytest.raises(TagWritingError, match="unreadable"):
            tag_files.read_fields(file)
