"""How many requests of this process may wait for a worker: all of them together, and those of one caller.

Each holds one of the web server's threads, and the workers can do no more at once than there are cores.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """A number of places, of which one caller may take only some. Safe to share between threads."""

    def __init__(self, total: int, *, per_caller: int) -> None:
        self._total = total
        self._per_caller = per_caller
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, caller: str) -> Iterator[bool]:
        """Take a place for the time of a block; gives False where there is none."""
        with self._lock:
            free = self._taken.total() < self._total and self._taken[caller] < self._per_caller
            if free:
                self._taken[caller] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._taken[caller] -= 1
                    # Addresses of strangers must not gather.
                    self._taken += Counter()
