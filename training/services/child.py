"""The training process of a run: its start, its reports, its end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from classifier.fitting.jobs.description import JobFolder
from genreweb.embedded.services import cores

LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0
_TAIL_BYTES = 2000
_DISK_FULL = os.strerror(errno.ENOSPC)


class ChildLostError(Exception):
    """The process ended before it was done; the message has its status and the end of its log."""


class Child:
    """One process that works on a job folder, alive for the time of a block.

    It reads a pipe that nobody writes to until it is to stop: the kernel closes the pipe when this process
    ends, and the child ends then. What it reports comes through a second pipe, because libraries print to
    the usual ones as they please.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        threads = str(thread_count())
        reading, writing = os.pipe()
        try:
            with self._folder.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603  # our own module, no shell
                    [
                        sys.executable,
                        "-m",
                        "classifier.fitting.jobs.process",
                        str(self._folder.path),
                        str(writing),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(writing,),
                    cwd=settings.BASE_DIR,
                    env={
                        **os.environ,
                        "OMP_NUM_THREADS": threads,
                        "OPENBLAS_NUM_THREADS": threads,
                    },
                )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._reports = reading
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None and kind is not None:
            self._stop()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
            self._process.stdin.close()
        self._process.wait()
        os.close(self._reports)

    def listen(self, *, look: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """Give each report as it comes, and call `look` every second; end when the work is done.

        Raises
        ------
        ChildLostError
            The process ended before it said that it was done.
        OSError
            With ENOSPC, where it did so on a full disk: HDF5 ends the process if it cannot close its files.
        """
        rest, done, looked = b"", False, time.monotonic()
        os.set_blocking(self._reports, False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._reports, selectors.EVENT_READ)
            while True:
                ready = selector.select(LOOK_SECONDS)
                if time.monotonic() - looked >= LOOK_SECONDS:
                    look()
                    looked = time.monotonic()
                if not ready:
                    continue
                chunk = os.read(self._reports, 1 << 16)
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    report = json.loads(line)
                    if report["event"] == "done":
                        done = True
                    else:
                        yield report
        status = self._process.wait()
        if not done or status != 0:
            tail = self._log_tail()
            if _DISK_FULL in tail:
                raise OSError(errno.ENOSPC, _DISK_FULL, str(self._folder.path))
            raise ChildLostError(f"status {status}: {tail}")

    def _stop(self) -> None:
        """Request the end, which comes within a batch, and kill the process if it does not come."""
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"stop\n")
            self._process.stdin.flush()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return self._folder.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        return ""


def thread_count() -> int:
    """Give the threads that a run may use: one core is left to the analyses."""
    return settings.TRAINING_THREADS or max(cores() - 1, 1)
