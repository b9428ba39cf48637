"""Locks on files that the kernel lets go of when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType


class FileLock:
    """A ``flock`` on a file. Children that are started do not inherit it; forked ones do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._descriptor

    def share(self) -> None:
        """Hold the lock together with others who share it; wait while somebody has it alone."""
        fcntl.flock(self._open(), fcntl.LOCK_SH)

    def try_take(self, *, seconds: float = 0) -> bool:
        """Hold the lock alone if it comes free within `seconds`; say whether it did."""
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(0.05)
            else:
                return True

    def is_held(self) -> bool:
        """Say whether somebody else has the lock right now."""
        if not self.path.exists():
            return False
        probe = FileLock(self.path)
        try:
            return not probe.try_take()
        finally:
            probe.release()

    def write(self, text: str) -> None:
        """Leave a note for those who find the lock taken."""
        descriptor = self._open()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)

    def read(self) -> str:
        with contextlib.suppress(OSError):
            return self.path.read_text().strip()
        return ""

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
