"""What a killed supervisor had started is ended, however soon it was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from classifier.tests import processes
from genreweb.embedded import paths
from genreweb.embedded.watchdog import Watchdog

SUPERVISOR = """
import os, signal, subprocess, sys
from genreweb.embedded.watchdog import Watchdog

wrapper = Watchdog().wrapper(signal.SIGTERM)
sleeper = subprocess.Popen(
    [*wrapper.words, sys.executable, "-c", "import time; time.sleep(60)"],
    pass_fds=wrapper.descriptors,
    start_new_session=True,
)
print(sleeper.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_is_killed_while_it_starts_something_leaves_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR], cwd=paths.REPOSITORY, stdout=subprocess.PIPE, check=False
    )
    assert done.returncode == -signal.SIGKILL
    sleeper = int(done.stdout)
    end = time.monotonic() + 20
    while processes.is_running(sleeper) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes.is_running(sleeper)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks the Linux kernel")
@pytest.mark.parametrize("asked", [("grep", "SigIgn", "/proc/self/status"), ("ls", "/proc/self/fd")])
def test_a_command_is_started_as_if_it_were_not_wrapped(asked: tuple[str, ...]) -> None:
    def answer(*before: str, descriptors: Sequence[int] = ()) -> str:
        return subprocess.run(
            [*before, *asked],
            pass_fds=descriptors,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
        ).stdout

    watchdog = Watchdog()
    wrapper = watchdog.wrapper(signal.SIGTERM)
    try:
        wrapped = answer(*wrapper.words, descriptors=wrapper.descriptors)
    finally:
        watchdog.dismiss()
    # What the machine itself ignores, as some containers do, is ignored in both.
    assert wrapped == answer()
