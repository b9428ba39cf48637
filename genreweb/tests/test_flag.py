"""A flag that a signal sets while the same thread waits for it."""

from __future__ import annotations

import subprocess
import sys
import time

from genreweb.embedded.flag import Flag

# With `threading.Event` in its place this hangs within a few hundred rounds.
ROUNDS = """
import signal, threading
from genreweb.embedded.flag import Flag
for round in range(1500):
    flag = Flag()
    signal.signal(signal.SIGALRM, lambda number, frame: flag.set())
    signal.setitimer(signal.ITIMER_REAL, 1e-5 + (round % 50) * 2e-6)
    while not flag.wait(1e-5):
        pass
print("all set")
"""


def test_a_signal_that_comes_while_it_is_waited_for_is_not_waited_for_forever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS], capture_output=True, timeout=60, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("all set\n", 0)


def test_waiting_ends_in_time() -> None:
    flag = Flag()
    began = time.monotonic()
    assert not flag.wait(0.02)
    assert time.monotonic() - began >= 0.02
    assert not flag.is_set()
    flag.set()
    assert flag.is_set()
    assert flag.wait(60)
