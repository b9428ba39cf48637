"""Read what an audio file says of itself: title, artist, album, year, genre and cover.

All of it is written by strangers. It is text to show, nothing more: the genre is no label, and the cover is
encoded anew before it is kept.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from PIL import Image

from classifier.core.legacy_text import repair_together
from classifier.core.sources import open_container

COVER_MEDIA_TYPE = "image/webp"
COVER_SUFFIX = ".webp"
COVER_SIDE = 512
"""Longest side of a cover in pixels."""

MOST_CHARACTERS = 500
_MOST_COVER_BYTES = 20 * 2**20
# Decoded, 25 million pixels take 100 MB.
_MOST_COVER_PIXELS = 25_000_000
# What Pillow raises at damaged pictures. Not every exception: a worker's time limit is one too.
_PICTURE_ERRORS = (
    *(OSError, ValueError, TypeError, SyntaxError, LookupError, ArithmeticError, MemoryError, EOFError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)", re.ASCII)

# By field, FFmpeg's names for a tag and those of formats that it passes on as they are; the best one first.
_NAMES = {
    "title": ("title", "tit2", "inam"),
    "artist": ("artist", "album_artist", "albumartist", "performer", "tpe1", "iart", "author"),
    "album": ("album", "talb", "iprd", "wm/albumtitle"),
    "genre": ("genre", "tcon", "ignr", "wm/genre"),
    "year": ("date", "year", "tyer", "tdrc", "icrd", "wm/year", "originaldate", "originalyear"),
}


@dataclass(frozen=True, kw_only=True)
class FileTags:
    """The tags of a file; empty where it has none.

    Attributes
    ----------
    title, artist, album, genre : str
        At most 500 characters, legacy encodings repaired; may hold control characters.
    year : int or None
        From 1000 to 2099.
    cover : bytes or None
        WebP, at most 512 pixels wide and high.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    cover: bytes | None = None


def read_file_tags(file: BinaryIO) -> FileTags:
    """Read the tags of an audio file.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.

    Returns
    -------
    FileTags
        Empty for a file that is no audio.

    Raises
    ------
    OSError
        If reading the file object fails.
    """
    try:
        with open_container(file, metadata_errors="surrogateescape") as container:
            words = _words(container)
            cover = _cover(container)
    except (FFmpegError, ValueError):
        return FileTags()
    dated = _YEAR.search(words.pop("year"))
    return FileTags(**words, year=int(dated.group()) if dated else None, cover=cover)


def _words(container: InputContainer) -> dict[str, str]:
    """Return the text of each field. Ogg keeps it with the stream, all other formats with the file."""
    found: dict[str, str] = {}
    for metadata in (*(stream.metadata for stream in container.streams.audio), container.metadata):
        found |= _plain(metadata)
    return {
        field: next((found[name] for name in names if found.get(name)), "") for field, names in _NAMES.items()
    }


def _plain(metadata: Mapping[str, str]) -> dict[str, str]:
    texts = {name.casefold(): text[:MOST_CHARACTERS] for name, text in metadata.items() if text.strip()}
    repaired = repair_together(list(texts.values()))
    return {name: text.strip() for name, text in zip(texts, repaired, strict=True)}


def _cover(container: InputContainer) -> bytes | None:
    pictures = [stream for stream in container.streams if stream.disposition & Disposition.attached_pic]
    # ID3 and FLAC have several kinds of pictures, which FFmpeg tells in the comment.
    pictures.sort(key=lambda stream: "front" not in stream.metadata.get("comment", "").casefold())
    return _encoded(_content(container, pictures[0])) if pictures else None


def _content(container: InputContainer, picture: Stream) -> bytes:
    for stream in container.streams:
        stream.discard = av.stream.Discard.default if stream is picture else av.stream.Discard.all
    for packet in container.demux(picture):
        if packet.stream.index == picture.index and 0 < packet.size <= _MOST_COVER_BYTES:
            return bytes(packet)
    return b""


def load_picture_codecs() -> None:
    """Import what Pillow imports on first use; a confined process cannot do it later."""
    Image.init()
    for file_format in _IMAGE_FORMATS:
        sample = io.BytesIO()
        # Large enough to be made smaller.
        Image.new("RGB", (COVER_SIDE + 1, 1)).save(sample, file_format)
        _encoded(sample.getvalue())


def _encoded(content: bytes) -> bytes | None:
    """Encode a picture anew, small and without metadata; None if it is no picture, or an enormous one."""
    if not content:
        return None
    try:
        with Image.open(io.BytesIO(content), formats=_IMAGE_FORMATS) as image:
            if image.width * image.height > _MOST_COVER_PIXELS:
                return None
            image.draft("RGB", (COVER_SIDE, COVER_SIDE))
            small = image.convert("RGB")
        small.thumbnail((COVER_SIDE, COVER_SIDE))
        out = io.BytesIO()
        small.save(out, "WEBP", quality=80)
    except _PICTURE_ERRORS:
        return None
    return out.getvalue()
