"""What lies in a ZIP archive that a stranger sent: listed within limits, unpacked one file at a time.

No name of an archive becomes a path. Limits: how many files, how large each and all of them are once
unpacked, and how much larger than the archive. Sizes are counted while a file is unpacked, whatever the
archive says.
"""

from __future__ import annotations

import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings

from classifier.core.legacy_text import guess_zip_names
from library.errors import TrackError

MOST_RATIO = 200
"""How many times its size an archive may grow. PCM of quiet music is halved; only silence goes further."""
_MOST_HEAD = 1100
"""Bytes of the directory per file: its fixed part, and a name of a thousand."""
_END = struct.Struct("<4s4H2LH")
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError),
    *(struct.error, OverflowError),
)
CHUNK = 1 << 20
# Bits of the flags of a file.
_ENCRYPTED = 0x1
_UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: which one it is, and what it is called."""

    place: int
    name: str


def members(file: IO[bytes], *, size: int) -> list[Member]:
    """List the files of an archive.

    Raises
    ------
    TrackError
        ``archive_unreadable``, ``archive_many``, ``archive_hostile``, ``archive_encrypted``,
        ``archive_method`` or ``archive_empty``.
    """
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
            _check(found, size=size)
    except _FAULTS as error:
        raise TrackError("archive_unreadable") from error
    sounds = [
        Member(place, name)
        for place, (one, name) in enumerate(zip(found, _names(found), strict=True))
        if not one.is_dir() and not _is_litter(name)
    ]
    if not sounds:
        raise TrackError("archive_empty")
    return sounds


@contextmanager
def unpacked(archive: zipfile.ZipFile, place: int) -> Iterator[IO[bytes]]:
    """Unpack one file into a temporary one, up to one byte more than a sound may have.

    Raises
    ------
    TrackError
        ``archive_damaged`` where it cannot be unpacked.
    """
    most = settings.AUDIO_MAX_BYTES + 1
    with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as target:
        try:
            with archive.open(archive.infolist()[place]) as source:
                while target.tell() < most and (chunk := source.read(min(CHUNK, most - target.tell()))):
                    target.write(chunk)
        except _FAULTS as error:
            raise TrackError("archive_damaged") from error
        target.seek(0)
        yield target


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a directory that would be large in memory, before `zipfile` reads it as a whole.

    The end of the directory is looked for as `zipfile` does. ZIP64, whose record would say other numbers, is
    needed for archives larger than any that is let in.
    """
    size = file.seek(0, 2)
    tail_size = min(size, 1 << 16 | _END.size)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise TrackError("archive_unreadable")
    _signature, _disk, _first, _here, entries, length, _offset, _comment = _END.unpack_from(tail, at)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\6\7":
        raise TrackError("archive_unreadable")
    if entries > settings.UPLOAD_BATCH_FILES or length > settings.UPLOAD_BATCH_FILES * _MOST_HEAD:
        raise TrackError("archive_many", {"maximum": settings.UPLOAD_BATCH_FILES})
    file.seek(0)


def _check(found: list[zipfile.ZipInfo], *, size: int) -> None:
    if len(found) > settings.UPLOAD_BATCH_FILES:
        raise TrackError("archive_many", {"maximum": settings.UPLOAD_BATCH_FILES})
    total = sum(one.file_size for one in found)
    # Files that share their bytes are counted as often as they are named.
    if total > size * MOST_RATIO or total > 4 * settings.UPLOAD_BATCH_MAX_BYTES:
        raise TrackError("archive_hostile")
    for one in found:
        path = PurePosixPath(one.filename.replace("\\", "/"))
        kind = stat.S_IFMT(one.external_attr >> 16)
        if (
            path.is_absolute()
            or ".." in path.parts
            or ":" in one.filename.partition("/")[0][:2]
            or kind not in (0, stat.S_IFREG, stat.S_IFDIR)
        ):
            raise TrackError("archive_hostile")
        if one.flag_bits & _ENCRYPTED:
            raise TrackError("archive_encrypted")
        if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise TrackError("archive_method")


def _names(found: list[zipfile.ZipInfo]) -> list[str]:
    """Read the names of files: `zipfile` reads all that do not say they are UTF-8 in the encoding of DOS."""
    names = [one.filename for one in found]
    legacy = [place for place, one in enumerate(found) if not one.flag_bits & _UTF8]
    read = guess_zip_names([names[place].encode("cp437") for place in legacy])
    for place, name in zip(legacy, read, strict=True):
        names[place] = name
    return names


def _is_litter(name: str) -> bool:
    """Whether a file is of those that systems add by themselves."""
    parts = PurePosixPath(name).parts
    return any(part == "__MACOSX" or part.startswith(".") for part in parts) or parts[-1:] in (
        ("Thumbs.db",),
        ("desktop.ini",),
    )
