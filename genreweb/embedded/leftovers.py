"""What a site leaves behind whose supervisor and watchdog were both killed, as ``pkill -9 -f`` does."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

from genreweb.embedded import paths
from genreweb.embedded.process import signal_group

GRACE_SECONDS = 8.0
MARK = "GENREWEB_SUPERVISOR"
"""In the environment of everything that a supervisor starts, and of what that starts: its number.

Commands that people run in another terminal have the same folder, but not this.
"""


def mark() -> dict[str, str]:
    """Give what a supervisor adds to the environment of its processes."""
    return {MARK: str(os.getpid())}


def end_leftovers() -> int:
    """End what earlier supervisors of this folder started; say how many processes that were.

    Only for who holds the lock of the site, or has seen that nobody does: then no supervisor lives. The
    engines are not among them: each ends its own leftover before it starts.
    """
    found = _find()
    groups = set()
    for process in found:
        with contextlib.suppress(OSError):
            groups.add(os.getpgid(process.pid))
    groups.discard(os.getpgid(0))
    for group in groups:
        signal_group(group, signal.SIGTERM)
    end = time.monotonic() + GRACE_SECONDS
    while groups and _find() and time.monotonic() < end:
        time.sleep(0.05)
    for process in _find():
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=GRACE_SECONDS)
    return len(found)


def _find() -> list[psutil.Process]:
    folder = str(paths.var_dir())
    found = []
    for process in psutil.process_iter():
        # Processes of other people do not show their environment; those that have ended have none.
        with contextlib.suppress(psutil.Error, OSError):
            environ = process.environ()
            if environ.get("GENREWEB_VAR") == folder and MARK in environ and process.pid != os.getpid():
                found.append(process)
    return found
