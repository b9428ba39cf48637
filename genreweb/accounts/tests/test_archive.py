"""A ZIP archive sent while it is being written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from genreweb.accounts.archive import CHUNK, MISSING, stream
from genreweb.accounts.personal_data import Content


def read(files: list[tuple[str, Content]]) -> ZipFile:
    return ZipFile(io.BytesIO(b"".join(stream(files))))


def test_gives_what_was_put_in() -> None:
    sound = bytes(range(256)) * 5000
    archive = read([("a.json", b"[1]"), ("노래/sound.mp3", lambda: io.BytesIO(sound)), ("empty.json", b"")])
    assert archive.testzip() is None
    assert archive.namelist() == ["a.json", "노래/sound.mp3", "empty.json"]
    assert archive.read("a.json") == b"[1]"
    assert archive.read("노래/sound.mp3") == sound
    assert archive.read("empty.json") == b""


def test_packs_text_and_leaves_sound_as_it_is() -> None:
    archive = read([("a.json", b" " * 1000), ("sound.mp3", b" " * 1000)])
    assert archive.getinfo("a.json").compress_type == ZIP_DEFLATED
    assert archive.getinfo("sound.mp3").compress_type == ZIP_STORED


def test_holds_a_piece_at_a_time_and_opens_a_file_only_when_it_is_its_turn() -> None:
    opened: list[int] = []

    def opener(number: int) -> Content:
        def open_() -> IO[bytes]:
            opened.append(number)
            return io.BytesIO(b"\0" * (4 * CHUNK))

        return open_

    def files() -> Iterator[tuple[str, Content]]:
        for number in range(3):
            yield f"{number}.wav", opener(number)

    pieces = stream(files())
    first = next(pieces)
    assert opened == [0]
    assert len(first) < 2 * CHUNK
    assert all(len(piece) < 2 * CHUNK for piece in pieces)
    assert opened == [0, 1, 2]


def test_a_file_that_is_gone_is_named_and_the_rest_goes_on() -> None:
    def gone() -> IO[bytes]:
        raise FileNotFoundError

    archive = read([("gone.mp3", gone), ("there.mp3", b"x")])
    assert archive.namelist() == ["there.mp3", MISSING]
    assert "gone.mp3" in archive.read(MISSING).decode()
