"""A storage as on another machine: whatever opens files by their path fails."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.files.storage import InMemoryStorage, Storage

from genreweb.storage import SignedFileSystemStorage


class PathlessStorage(InMemoryStorage):
    """Files in memory, with the signed links of the real one and without ``path``."""

    def url(self, name: str | None) -> str:
        return SignedFileSystemStorage.url(self, name)  # type: ignore[arg-type]  # it needs no folder

    def path(self, name: str) -> str:
        raise NotImplementedError("This storage has no paths.")


def stored_names(storage: Storage, folder: str = "") -> Iterator[str]:
    """Give the name of every file in a storage."""
    folders, files = storage.listdir(folder)
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in files)
    for inner in folders:
        yield from stored_names(storage, prefix + inner)
