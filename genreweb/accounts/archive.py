"""Send a ZIP archive while it is being written, so that its size does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.utils import timezone
from django.utils.translation import gettext

from genreweb.accounts.personal_data import Content, opened

CHUNK = 1 << 18
_WORTH_PACKING = (".json", ".txt", ".csv")
MISSING = "missing.txt"


class _Outlet:
    """What a ZipFile writes into: a file without positions, emptied as it fills."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits: what is written is there to be taken."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def stream(files: Iterable[tuple[str, Content]]) -> Iterator[bytes]:
    """Give a ZIP archive of `files` piece by piece, holding no more than a piece in memory.

    A file that cannot be found is named in ``missing.txt`` at the end of the archive.
    """
    outlet = _Outlet()
    missing: list[str] = []
    with ZipFile(outlet, "w") as archive:  # type: ignore[call-overload]  # zipfile asks for less than a whole IO
        for path, content in files:
            try:
                yield from _write(archive, outlet, path, content)
            except FileNotFoundError:
                missing.append(path)
        if missing:
            said = gettext("These files were no longer in the store:")
            yield from _write(archive, outlet, MISSING, "\n".join([said, *missing, ""]).encode())
    yield outlet.take()


def _write(archive: ZipFile, outlet: _Outlet, path: str, content: Content) -> Iterator[bytes]:
    with opened(content) as source:
        # Read before the entry is begun: a store may find out only now that the file is gone.
        chunk = source.read(CHUNK)
        entry = ZipInfo(path, date_time=timezone.localtime().timetuple()[:6])
        entry.compress_type = ZIP_DEFLATED if path.endswith(_WORTH_PACKING) else ZIP_STORED
        with archive.open(entry, "w") as target:
            while chunk:
                target.write(chunk)
                yield outlet.take()
                chunk = source.read(CHUNK)
