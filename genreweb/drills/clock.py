"""The clock of a site's machine, as libfaketime shows it to the processes of the site: it jumps."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from genreweb.drills.faults import Fault
from genreweb.trial import REPOSITORY

DAY = 86400
_PLACES = (REPOSITORY / ".venv" / ".drill" / "lib", Path("/usr/lib"), Path("/usr/local/lib"))
_NAMES = ("libfaketimeMT.so.1", "libfaketime.so.1")
# Releases of libfaketime before 0.9.11 refuse to sleep until a moment of the monotonic clock, as Python does.
_SLEEP = "import time; time.sleep(0.01)"


def library() -> Path | None:
    """Find a libfaketime that Python works with, or None."""
    for place in _PLACES:
        for name in _NAMES:
            for found in sorted(place.glob(f"**/{name}")):
                if _works(found):
                    return found
    return None


def _works(library: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **Clock(library, Path(folder)).environment}
        done = subprocess.run(
            [sys.executable, "-c", _SLEEP], env=environment, capture_output=True, check=False
        )
    return done.returncode == 0


class Clock:
    """A clock that can be moved while processes run by it; their time spans (monotonic) go on as before."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._file = folder / "clock"
        self.move(0)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its older name.
            "DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, seconds: int) -> None:
        """Show a time that is `seconds` from the real one."""
        self._file.write_text(f"{seconds:+d}\n")
        # The database may run as somebody else.
        self._file.chmod(0o644)

    def _jump(self, seconds: int) -> bool:
        self.move(seconds)
        return True

    def faults(self) -> tuple[Fault, Fault]:
        return (
            Fault("after the clock jumped two days ahead", lambda _site: self._jump(2 * DAY), lasts=2),
            Fault("after the clock jumped three days back", lambda _site: self._jump(-DAY), lasts=2),
        )
