"""The files of versions in the site's storage.

The files of a version lie side by side in a folder of their own, ``versions/<uuid>/``. Its row, which is
written last, names the folder: what a crash leaves behind belongs to no row and is tidied.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TypedDict

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.core.artifact import TRAINING_FOLDER, ReleaseError
from classifier.models import ModelVersion
from classifier.releases import TRAINING_FILES

log = logging.getLogger(__name__)

PREFIX = "versions"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
CHUNK = 1 << 20


class Entry(TypedDict):
    """One file of a version."""

    sha256: str
    size: int


Files = dict[str, Entry]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file of a version lies, and what it must hold. Two that are equal hold the same for ever."""

    version: str
    location: str
    name: str
    sha256: str
    size: int


def entry_of(path: Path) -> Entry:
    """Hash a file and measure it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "size": size}


def paths_in(folder: Path) -> dict[str, Path]:
    """Find the files of a version in a folder and its `TRAINING_FOLDER`: plain files with plain names."""
    training = folder / TRAINING_FOLDER
    inner = training.iterdir() if training.is_dir() and not training.is_symlink() else ()
    return {
        path.name: path
        for path in (*inner, *folder.iterdir())
        if path.is_file() and not path.is_symlink() and FILE_NAME.fullmatch(path.name)
    }


def entries_in(folder: Path) -> Files:
    """Describe the files of a version that lies in a folder."""
    return {name: entry_of(path) for name, path in sorted(paths_in(folder).items())}


@contextlib.contextmanager
def folder(version: ModelVersion, *, whole: bool = True) -> Iterator[Path]:
    """Copy the files of a version into a folder for a block, each one checked by its hash.

    Parameters
    ----------
    whole
        False leaves out what only further training reads.

    Raises
    ------
    ReleaseError
        A file is missing or damaged.
    OSError
        The storage cannot be reached, or there is no room for a copy.
    """
    if not version.files:
        raise ReleaseError(version.fault or f"The files of {version.name} are not stored.")
    with tempfile.TemporaryDirectory(prefix="genreweb-version-") as scratch:
        copy = Path(scratch) / (re.sub(r"[^\w.-]+", "-", version.name) or "version")
        copy.mkdir()
        for name in version.files:
            if whole or name not in TRAINING_FILES:
                with (copy / name).open("wb") as file:
                    _fetch(file_of(version, name), file)
        yield copy


def file_of(version: ModelVersion, name: str) -> StoredFile:
    """Describe one file of a version.

    Raises
    ------
    ReleaseError
        It has none of this name.
    """
    entry = version.files.get(name)
    if entry is None:
        raise ReleaseError(f"{version.name} has no {name}.")
    return StoredFile(version.name, version.location, name, entry["sha256"], entry["size"])


def read(file: StoredFile) -> bytes:
    """Read one file of a version, checked by its hash.

    Raises
    ------
    ReleaseError
        It is missing or damaged.
    OSError
        The storage cannot be reached.
    """
    content = io.BytesIO()
    _fetch(file, content)
    return content.getvalue()


def _fetch(file: StoredFile, target: IO[bytes]) -> None:
    digest, left = hashlib.sha256(), file.size
    try:
        with default_storage.open(f"{file.location}/{file.name}") as source:
            # One byte more than there should be: a file that grew is damaged too.
            while left >= 0 and (chunk := source.read(min(CHUNK, left + 1))):
                digest.update(chunk)
                target.write(chunk)
                left -= len(chunk)
    except FileNotFoundError as error:
        raise ReleaseError(f"{file.name} of {file.version} is missing.") from error
    if left or digest.hexdigest() != file.sha256:
        raise ReleaseError(f"{file.name} of {file.version} is damaged: its hash does not match.")


def store(source: Path) -> tuple[str, Files]:
    """Write the files of a folder into the storage and read each one back; give their location and hashes.

    Raises
    ------
    OSError
        A file could not be written, or was read back as another; what was written is removed.
    """
    location, files, paths = f"{PREFIX}/{uuid.uuid4()}", entries_in(source), paths_in(source)
    written: list[str] = []
    try:
        for name, entry in files.items():
            with paths[name].open("rb") as file:
                written.append(default_storage.save(f"{location}/{name}", File(file)))
            if written[-1] != f"{location}/{name}" or _hash_of(written[-1]) != entry["sha256"]:
                raise OSError(f"{name} came back from the storage as another file")
    except BaseException:
        remove(written)
        raise
    return location, files


def _hash_of(stored: str) -> str:
    digest = hashlib.sha256()
    with default_storage.open(stored) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def stored_names() -> Iterator[str]:
    """Name the files of all versions in the storage."""
    for location, files in ModelVersion.objects.values_list("location", "files").order_by():
        yield from (f"{location}/{name}" for name in files)


def remove(names: list[str]) -> None:
    """Delete stored files; one that cannot be deleted is left to `tidy`."""
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            log.exception("could not delete %s", name)


def tidy(*, grace: timedelta) -> int:
    """Delete folders of versions that no row knows and that are older than `grace`; give how many files."""
    try:
        folders, _files = default_storage.listdir(PREFIX)
    except FileNotFoundError:
        return 0
    found = {f"{PREFIX}/{name}" for name in folders}
    known = set(ModelVersion.objects.filter(location__in=found).values_list("location", flat=True))
    removed = 0
    for location in sorted(found - known):
        names = [f"{location}/{name}" for name in default_storage.listdir(location)[1]]
        now = timezone.now()
        try:
            young = any(now - default_storage.get_modified_time(name) < grace for name in names)
        except OSError:
            # Another process deleted it meanwhile.
            continue
        if not young:
            remove(names)
            removed += len(names)
    return removed
