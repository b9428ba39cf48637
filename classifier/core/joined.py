"""Find the files that one file is joined of.

Radio dumps are chained Ogg (RFC 3533, section 4), people join files with ``cat``, and recorders append.
FFmpeg stops at the end of the first WAV, AIFF, ASF or MP4 file, and where an Ogg link has another rate, codec
or number of channels. MP3 and AAC in ADTS frames need none of this: their frames follow each other anyway.
"""

from __future__ import annotations

import io
import re
from typing import BinaryIO

# More parts than this are left unread: opening one takes milliseconds.
MAX_PARTS = 500

_CHUNK = 2**20
_LONGEST_MATCH = 32
# How a file of a kind begins, by its first bytes.
_BEGINNINGS = {
    b"OggS": re.compile(rb"OggS\x00[\x02\x06]", re.DOTALL),  # a page that begins a stream
    b"RIFF": re.compile(rb"RIFF....WAVE", re.DOTALL),
    b"RF64": re.compile(rb"RF64....WAVE", re.DOTALL),
    b"FORM": re.compile(rb"FORM....AIF[FC]", re.DOTALL),
    b"fLaC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL),
    b"0&\xb2u": re.compile(re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"))),
    b"\x1aE\xdf\xa3": re.compile(rb"\x1aE\xdf\xa3.{1,8}?B\x86\x81\x01", re.DOTALL),
}
_OGG_HEADER = 27
_BOX_HEADER = 16

Part = tuple[int, int]


def parts(file: BinaryIO, size: int) -> tuple[list[Part], bool]:
    """Find the bytes, from and to, of each of the files in a file.

    Parameters
    ----------
    file : binary file object
        Seekable; left at its start.
    size : int
        In bytes.

    Returns
    -------
    parts : list of (int, int)
        One that is the whole file, for most files; at most MAX_PARTS.
    complete : bool
        Whether these are all.

    Raises
    ------
    OSError
        If reading the file object fails.
    """
    file.seek(0)
    head = file.read(8)
    if head[4:] == b"ftyp":
        begins = _movie_files(file, size)
    elif head[:4] == b"OggS":
        begins = _ogg_links(file, _found(file, head[:4]))
    else:
        begins = _found(file, head[:4]) if head[:4] in _BEGINNINGS else []
    file.seek(0)
    begins = [0, *(begin for begin in begins if begin > 0)]
    ranges = list(zip(begins, [*begins[1:], size], strict=True))
    return ranges[:MAX_PARTS], len(ranges) <= MAX_PARTS


def _found(file: BinaryIO, magic: bytes) -> list[int]:
    """Places of the beginnings of files, as many as can be used."""
    beginning = _BEGINNINGS[magic]
    places: list[int] = []
    offset, kept = 0, b""
    file.seek(0)
    while len(places) <= 2 * MAX_PARTS and (chunk := file.read(_CHUNK)):
        window = kept + chunk
        at = window.find(magic)
        while at >= 0:
            place = offset - len(kept) + at
            if beginning.match(window, at) and (not places or place > places[-1]):
                places.append(place)
            at = window.find(magic, at + 1)
        offset += len(chunk)
        kept = window[-_LONGEST_MATCH:]
    return places


def _ogg_links(file: BinaryIO, pages: list[int]) -> list[int]:
    """Of the pages that begin a stream, those that begin a link: the streams of one begin together."""
    links: list[int] = []
    end = -1
    for page in pages:
        if page != end:
            links.append(page)
        file.seek(page)
        header = file.read(_OGG_HEADER)
        lengths = file.read(header[26]) if len(header) == _OGG_HEADER else b""
        end = page + _OGG_HEADER + len(lengths) + sum(lengths)
    return links


def _movie_files(file: BinaryIO, size: int) -> list[int]:
    """Places of the boxes ``ftyp`` on the first level (ISO/IEC 14496-12, section 4.2)."""
    places: list[int] = []
    at = boxes = 0
    while at + 8 <= size and boxes < 100 * MAX_PARTS and len(places) <= MAX_PARTS:
        file.seek(at)
        header = file.read(_BOX_HEADER)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            break
        if header[4:8] == b"ftyp":
            places.append(at)
        at += length
        boxes += 1
    return places


class PartReader(io.RawIOBase):
    """A part of a file, without its name, that keeps read errors to be raised later.

    FFmpeg treats a failing read as the end of the file, so that a storage error would look like a short song.
    The caller's file is left open.
    """

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        self._file = file
        self._begin = begin
        self._size = end - begin
        self._at = 0
        self.failure: BaseException | None = None
        self._seek_file(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._at)
        try:
            data = self._file.read(left if size < 0 else min(size, left))[:left]
        except BaseException as failure:  # noqa: BLE001  FFmpeg's C code would swallow it, a worker's time limit too
            self.failure = failure
            return b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}.get(whence, 0)
        # Before the start of the file: FFmpeg asks and copes with a refusal.
        return self._seek_file(base + offset) if base + offset >= 0 else -1

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Leave the caller's file open."""

    def _seek_file(self, at: int) -> int:
        try:
            self._file.seek(self._begin + at)
        except (OSError, ValueError):
            return -1
        except BaseException as failure:  # noqa: BLE001  as above
            self.failure = failure
            return -1
        self._at = at
        return at
