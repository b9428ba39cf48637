"""The files of versions: a shipped release's lie with the program, all others' in the site's storage.

A version in the storage is a folder under a name of its own, ``versions/<uuid>/``. Nobody knows the folder
until its row is written, which is the last step: what a crash leaves behind belongs to nothing and is tidied.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, TypedDict

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.core.inference import ReleaseError
from classifier.models import ModelVersion

log = logging.getLogger(__name__)

RELEASES = Path(__file__).resolve().parent / "releases"
PREFIX = "versions"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
LEARNING_FILES = frozenset({"network.weights.h5", "replay.npz", "frozen.npz"})
"""Only further learning and judging need these: answering does not wait for them."""
CHUNK = 1 << 20


class Entry(TypedDict):
    """One file of a version."""

    sha256: str
    size: int


Files = dict[str, Entry]


def entry_of(path: Path) -> Entry:
    """Hash a file and measure it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "size": size}


def entries_in(folder: Path) -> Files:
    """Describe what lies in a folder; only plain files with plain names are part of a version."""
    return {
        path.name: entry_of(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.is_symlink() and FILE_NAME.fullmatch(path.name)
    }


def files_of(version: ModelVersion) -> Files:
    """Describe the files of a version: as they were stored, or as the program holds them."""
    if version.source != ModelVersion.Source.RELEASE:
        return dict(version.files)
    release = RELEASES / version.location
    return entries_in(release) if release.is_dir() else {}


@contextlib.contextmanager
def folder(version: ModelVersion, *, whole: bool = True) -> Iterator[Path]:
    """Give a folder with the files of a version, each one checked by its hash, for the time of a block.

    Parameters
    ----------
    whole
        False leaves out what only further learning needs.

    Raises
    ------
    ReleaseError
        A file is missing or damaged.
    OSError
        The storage is away, or there is no room for a copy.
    """
    if version.source == ModelVersion.Source.RELEASE:
        # A release's own metadata hold the hash of its network, which is checked on loading.
        yield RELEASES / version.location
        return
    with tempfile.TemporaryDirectory(prefix="genreweb-version-") as scratch:
        copy = Path(scratch) / (re.sub(r"[^\w.-]+", "-", version.name) or "version")
        copy.mkdir()
        for name, entry in version.files.items():
            if whole or name not in LEARNING_FILES:
                _fetch(version, name, entry, copy / name)
        yield copy


def _fetch(version: ModelVersion, name: str, entry: Entry, target: Path) -> None:
    digest, left = hashlib.sha256(), entry["size"]
    try:
        with default_storage.open(f"{version.location}/{name}") as source, target.open("wb") as file:
            # One byte more than there should be: a file that grew is damaged too.
            while left >= 0 and (chunk := source.read(min(CHUNK, left + 1))):
                digest.update(chunk)
                file.write(chunk)
                left -= len(chunk)
    except FileNotFoundError as error:
        raise ReleaseError(f"{name} of {version.name} is missing.") from error
    if left or digest.hexdigest() != entry["sha256"]:
        raise ReleaseError(f"{name} of {version.name} is damaged: its hash does not match.")


def open_file(version: ModelVersion, name: str) -> IO[bytes]:
    """Open one file of a version, unchecked."""
    if version.source == ModelVersion.Source.RELEASE:
        return (RELEASES / version.location / name).open("rb")
    opened: IO[bytes] = default_storage.open(f"{version.location}/{name}")
    return opened


def store(source: Path) -> tuple[str, Files]:
    """Write the files of a folder into the storage and read each one back; give where they lie.

    Raises
    ------
    OSError
        A file could not be written, or came back as another; then nothing is left behind.
    """
    location, files = f"{PREFIX}/{uuid.uuid4()}", entries_in(source)
    written: list[str] = []
    try:
        for name, entry in files.items():
            with (source / name).open("rb") as file:
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


def remove(names: list[str]) -> None:
    """Delete stored files; one that will not go is left to the tidying."""
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
            # Somebody else took it away meanwhile.
            continue
        if not young:
            remove(names)
            removed += len(names)
    return removed
