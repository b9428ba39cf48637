"""The clock of a site's machine, as libfaketime shows it to the processes of the site: it jumps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genreweb.drills.faults import Fault

DAY = 86400
_PLACES = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")


def library() -> Path | None:
    """Find libfaketime, or None where it is not installed."""
    for place in _PLACES:
        for found in sorted(Path(place).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    return None


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
