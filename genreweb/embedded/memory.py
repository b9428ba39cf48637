"""How much memory this machine, or the container that the site runs in, has."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import psutil

_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Of a container, in the second and the first version of Linux's control groups."""


def usable_bytes() -> int:
    """Give the machine's memory, or less where a container may not have all of it."""
    found = [int(psutil.virtual_memory().total)]
    for limit in _LIMITS:
        # "max" where there is no limit.
        with contextlib.suppress(OSError, ValueError):
            found.append(int(limit.read_text()))
    return min(found)
