"""ID3 tags written byte by byte, so that any encoding and any claim can be in them."""

from __future__ import annotations

import io

from PIL import Image


def frame(name: str, content: bytes) -> bytes:
    """Make a frame of ID3v2.3; of 2.4 too, where it is shorter than 128 bytes."""
    return name.encode() + len(content).to_bytes(4, "big") + b"\0\0" + content


def id3v2(*frames: bytes, version: int = 3) -> bytes:
    body = b"".join(frames)
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0]) + size + body


def id3v1(*, title: bytes = b"", artist: bytes = b"", album: bytes = b"", year: bytes = b"") -> bytes:
    fields = [text[:30].ljust(30, b"\0") for text in (title, artist, album)]
    return b"TAG" + b"".join(fields) + year.ljust(4, b"\0") + bytes(30) + b"\xff"


def cover(file_format: str, size: tuple[int, int] = (64, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(out, file_format)
    return out.getvalue()
