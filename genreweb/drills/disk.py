"""A disk that is filled to its last megabyte, and freed."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from genreweb.drills.faults import Fault
from genreweb.trial import Site

MIB = 2**20
LEFT_BYTES = MIB
FULL_SECONDS = 10.0


class NoDiskError(Exception):
    """No disk of its own can be had; the text says why."""


class SmallDisk:
    """A file system in memory, of a size of its own, for the time of a block."""

    def __init__(self, *, size: int) -> None:
        self._size = size
        self.folder = Path(tempfile.mkdtemp(prefix="genreweb-disk-"))
        self._filling = self.folder / "filling"

    def __enter__(self) -> Self:
        try:
            self._run("mount", "-t", "tmpfs", "-o", f"size={self._size},mode=711", "tmpfs", str(self.folder))
        except NoDiskError:
            self.folder.rmdir()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("umount", "--lazy", str(self.folder))
        self.folder.rmdir()

    def _run(self, *command: str) -> None:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise NoDiskError(f"{command[0]} cannot be run ({error.strerror})") from error
        if done.returncode:
            raise NoDiskError(done.stderr.strip() or f"{command[0]} failed")

    def fill(self, _site: Site | None = None) -> bool:
        """Leave one megabyte."""
        import shutil

        with self._filling.open("wb") as file:
            while (free := shutil.disk_usage(self.folder).free) > LEFT_BYTES:
                file.write(bytes(min(free - LEFT_BYTES, 4 * MIB)))
                file.flush()
        return True

    def free(self) -> None:
        self._filling.unlink()

    def fault(self) -> Fault:
        return Fault("after a full disk was freed", self.fill, mend=self.free, lasts=FULL_SECONDS)
