"""Progress of a long job, on one line of a terminal."""

from __future__ import annotations

import time
from typing import IO

_ERASE = "\r\x1b[K"


class Progress:
    """A counter; shows nothing if the stream is not a terminal or there is nothing to count."""

    def __init__(self, stream: IO[str], total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._since = time.monotonic()
        self._visible = total > 1 and stream.isatty()
        self._draw()

    def advance(self) -> None:
        """Count one more item as done."""
        self._done += 1
        self._draw()

    def clear(self) -> None:
        """Erase the line, before other text is written to the same terminal."""
        if self._visible:
            print(_ERASE, end="", file=self._stream, flush=True)

    def _draw(self) -> None:
        if not self._visible:
            return
        line = f"{self._done} of {self._total}"
        if 0 < self._done < self._total:
            left = (time.monotonic() - self._since) / self._done * (self._total - self._done)
            line += f", {int(left) // 60}:{int(left) % 60:02d} left"
        print(_ERASE + line, end="", file=self._stream, flush=True)
