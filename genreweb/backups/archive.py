"""The archive of a backup: an uncompressed tar file whose last member says what is in it.

Members, in this order: ``database.dump`` (pg_dump's custom format), ``files/NAME`` for each stored file,
``manifest.json`` with the size and SHA-256 of each. An archive that was cut off has no manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

FORMAT = 1
DATABASE, MANIFEST = "database.dump", "manifest.json"
CHUNK = 1 << 20
MEMORY = 16 * 2**20
"""Bytes of one file that are held in memory; the rest goes to a temporary file."""
_FILES = "files/"


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text says why."""


class Readable(Protocol):
    """What contents are read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """Size and SHA-256 of one member."""

    size: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What an archive holds, and what it was made from."""

    release: str
    created: str
    tables: list[str]
    migrations: list[str]
    """As ``app.name``."""
    secret_key: str
    """A fingerprint of the key that signs sessions and links; the key itself is not in the archive."""
    functions: list[str] = field(default_factory=list)
    """Definitions of the functions that triggers of the tables call: a dump of tables holds none."""
    counts: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Files that rows name and that the storage did not have when they were to be copied."""
    database: Entry | None = None
    files: dict[str, Entry] = field(default_factory=dict)
    format: int = FORMAT


@contextmanager
def spooled(source: Readable) -> Iterator[tuple[IO[bytes], Entry]]:
    """Copy a stream, and give the copy with its size and hash."""
    with tempfile.SpooledTemporaryFile(MEMORY) as copy:
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
        copy.seek(0)
        yield copy, Entry(size, digest.hexdigest())


class Writer:
    """Writes an archive member by member."""

    def __init__(self, target: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # closed by finish

    def add_database(self, source: IO[bytes], manifest: Manifest) -> None:
        with spooled(source) as (copy, entry):
            self._add(DATABASE, copy, entry)
        manifest.database = entry

    def add_file(self, name: str, source: IO[bytes], manifest: Manifest) -> None:
        with spooled(source) as (copy, entry):
            self._add(_FILES + name, copy, entry)
        manifest.files[name] = entry

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest; without it the archive is not whole."""
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
        self._add(MANIFEST, io.BytesIO(text), Entry(len(text), ""))
        self._tar.close()

    def _add(self, name: str, copy: IO[bytes], entry: Entry) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = entry.size, 0o600
        self._tar.addfile(member, copy)


def verify(path: Path) -> Manifest:
    """Read an archive to its end and compare every member with the manifest.

    Raises
    ------
    BackupError
        It is no backup, or is damaged, or of a newer format.
    """
    found: dict[str, Entry] = {}
    manifest: Manifest | None = None
    for name, source in _members(path):
        if manifest is not None or name in found:
            raise BackupError(f"{path} is damaged: {name} is where nothing should be.")
        if name == MANIFEST:
            manifest = _manifest(path, source.read())
        else:
            found[name] = entry_of(source)
    if manifest is None:
        raise BackupError(f"{path} is no whole backup: its end is missing.")
    expected = {_FILES + name: entry for name, entry in manifest.files.items()}
    if manifest.database is not None:
        expected[DATABASE] = manifest.database
    for name in sorted({*found, *expected, DATABASE}):
        if name not in expected or found.get(name) != expected[name]:
            raise BackupError(f"{path} is damaged: {name} is not what was backed up.")
    for name in manifest.files:
        _check_name(path, name)
    return manifest


def files(path: Path) -> Iterator[tuple[str, Readable]]:
    """Give the stored files of an archive, one after the other."""
    for name, source in _members(path):
        if name.startswith(_FILES):
            yield name.removeprefix(_FILES), source


@contextmanager
def database(path: Path) -> Iterator[IO[bytes]]:
    """Give the dump of the database as a file of its own."""
    with tempfile.TemporaryFile() as copy:
        for name, source in _members(path):
            if name == DATABASE:
                while chunk := source.read(CHUNK):
                    copy.write(chunk)
                break
        copy.seek(0)
        yield copy


class _Member:
    """The content of a member; an archive that ends within it is said to be damaged."""

    def __init__(self, path: Path, source: IO[bytes]) -> None:
        self._path, self._source = path, source

    def read(self, size: int | None = None) -> bytes:
        try:
            return self._source.read() if size is None else self._source.read(size)
        except (tarfile.TarError, EOFError) as error:
            raise BackupError(f"{self._path} is damaged: {error}.") from error


def _members(path: Path) -> Iterator[tuple[str, _Member]]:
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                # The list of members that tarfile keeps would grow with the site.
                tar.members = []  # type: ignore[attr-defined]
                source = tar.extractfile(member) if member.isreg() else None
                if source is None:
                    raise BackupError(f"{path} is damaged: {member.name} is no file.")
                yield member.name, _Member(path, source)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(f"{path} is no backup, or is damaged: {error}.") from error


def entry_of(source: Readable) -> Entry:
    """Give the size and hash of a stream."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Entry(size, digest.hexdigest())


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        read: dict[str, Any] = json.loads(text)
        newer = int(read["format"]) > FORMAT
        if not newer:
            read["database"] = Entry(**read["database"])
            read["files"] = {name: Entry(**entry) for name, entry in read["files"].items()}
            return Manifest(**read)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"{path} is damaged: its manifest cannot be read.") from error
    raise BackupError(f"{path} was made by a newer release ({read.get('release')}): install that one first.")


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise BackupError(f"{path} names a file outside of the storage: {name!r}.")
