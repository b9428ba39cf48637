"""A storage without paths, as on another machine: opening files by path fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.core.files.base import File
from django.core.files.storage import InMemoryStorage, Storage

from genreweb.storage import SignedFileSystemStorage


class PathlessStorage(Storage):
    """Files in memory, with the signed links of the real storage and without ``path``."""

    def __init__(self) -> None:
        self._files = InMemoryStorage()

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        return self._files.open(name, mode)

    def _save(self, name: str, content: File[bytes]) -> str:
        return self._files.save(name, content)

    def delete(self, name: str) -> None:
        self._files.delete(name)

    def exists(self, name: str) -> bool:
        return self._files.exists(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return self._files.listdir(path)

    def size(self, name: str) -> int:
        return self._files.size(name)

    def get_modified_time(self, name: str) -> datetime:
        return self._files.get_modified_time(name)

    def url(self, name: str | None) -> str:
        return SignedFileSystemStorage.url(self, name)  # type: ignore[arg-type]  # it needs no folder


def stored_names(storage: Storage, folder: str = "") -> Iterator[str]:
    """Give the name of every file in a storage."""
    folders, files = storage.listdir(folder)
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in files)
    for inner in folders:
        yield from stored_names(storage, prefix + inner)
