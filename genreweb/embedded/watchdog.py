"""The watchdog: ends every process of a site whose supervisor was killed.

A forked process that only reads a pipe. The kernel closes the pipe when the supervisor dies, however it dies;
then the registered process groups are ended, the database last. The watchdog inherits the supervisor's locks,
so that the next supervisor waits until it is done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genreweb.embedded.process import signal_group

GRACE_SECONDS = 8.0

_BIND_TO_PARENT = Path(__file__).with_name("bind_to_parent.py")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Words to put before a command, and descriptors to pass to it."""

    words: Sequence[str]
    descriptors: Sequence[int]


class Watchdog:
    """The supervisor's end of the pipe. Make it before any thread is started: it forks."""

    def __init__(self) -> None:
        reading, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._pipe)
                _watch(reading)
            finally:
                os._exit(0)
        os.close(reading)

    def wrapper(self, number: signal.Signals) -> Wrapper:
        """Give what makes a process register itself before it becomes its command, in a session of its own.

        A supervisor that registered it after the start could be killed between the two. `number` is the
        signal that ends the process.
        """
        return Wrapper(
            (sys.executable, "-I", "-S", str(_BIND_TO_PARENT), str(self._pipe), str(int(number))),
            (self._pipe,),
        )

    def watch(self, group: int, number: signal.Signals, *, last: bool) -> None:
        """Remember a process group, the signal that ends it, and whether it must outlive the others."""
        self._tell(f"+ {group} {int(number)} {int(last)}\n")

    def unwatch(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._tell(f"- {group} 0 0\n")

    def dismiss(self) -> None:
        """End the watching process: everything has ended in order."""
        self._tell("= 0 0 0\n")
        with contextlib.suppress(OSError):
            os.close(self._pipe)
            os.waitpid(self._pid, 0)

    def _tell(self, line: str) -> None:
        # Without its watcher the site runs on; only the safety net is gone.
        with contextlib.suppress(OSError):
            os.write(self._pipe, line.encode())


def _watch(pipe: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    watched: dict[int, tuple[signal.Signals, bool]] = {}
    with open(pipe, encoding="ascii") as lines:
        for line in lines:
            verb, group, name, last = line.split()
            if verb == "=":
                return
            if verb == "+":
                watched[int(group)] = (signal.Signals(int(name)), last == "1")
            else:
                watched.pop(int(group), None)
    for last_ones in (False, True):
        _end({group: number for group, (number, is_last) in watched.items() if is_last is last_ones})


def _end(groups: dict[int, signal.Signals]) -> None:
    """Ask every group to end, and make those end that do not."""
    alive = {group for group, number in groups.items() if signal_group(group, number)}
    end = time.monotonic() + GRACE_SECONDS
    while alive and time.monotonic() < end:
        time.sleep(0.05)
        alive = {group for group in alive if _exists(group)}
    for group in alive:
        signal_group(group, signal.SIGKILL)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
