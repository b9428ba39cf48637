"""What a signal asks for."""

from __future__ import annotations

import time
from typing import Final

_LOOK_EVERY: Final = 0.05


class Flag:
    """A `threading.Event` that a signal handler may set.

    An event's lock is not reentrant: a handler that sets it while the same thread is inside `wait` waits for
    itself, forever. Here the handler writes one attribute, and who waits looks at it now and then.
    """

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, for so many seconds at most; give whether it is."""
        end = time.monotonic() + seconds
        while not self._set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY))
        return self._set
