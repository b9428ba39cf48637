"""A process of the site: started, listened to, started again, ended with all that it started itself."""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

from genreweb.embedded import paths
from genreweb.embedded.process import signal_group, wait_for_exit
from genreweb.embedded.watchdog import Wrapper

_LEVEL = re.compile(r"\b(DEBUG|INFO|LOG|NOTICE|WARNING|ERROR|CRITICAL|FATAL|PANIC)\b")
_GRAVE = {"ERROR", "CRITICAL", "FATAL", "PANIC"}
STEADY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0

Say = Callable[[str], None]


class Log:
    """The log file of one child, and which of its lines are worth showing."""

    def __init__(
        self, name: str, *, say: Say, verbose: bool, live: threading.Event, grave: set[str] = _GRAVE
    ) -> None:
        self._prefix = f"{name:<9} | "
        self._say = say
        self._verbose = verbose
        self._live = live
        """Set once the site is up: before, what fails is said once, when the start is given up."""
        self._grave = grave
        self._recent: deque[str] = deque(maxlen=15)
        handler = logging.handlers.RotatingFileHandler(
            paths.log_dir() / f"{name}.log", maxBytes=5 * 2**20, backupCount=3, encoding="utf-8", delay=True
        )
        self._file = logging.getLogger(f"genreweb.child.{name}")
        self._file.propagate = False
        self._file.setLevel(logging.INFO)
        self._file.addHandler(handler)

    def follow(self, stream: IO[bytes], *, shown: bool) -> threading.Thread:
        """Read a stream to its end in a thread of its own."""
        thread = threading.Thread(target=self._read, args=(stream, shown), daemon=True)
        thread.start()
        return thread

    def recent(self) -> str:
        return "\n".join(self._prefix + line for line in self._recent)

    def _read(self, stream: IO[bytes], shown: bool) -> None:
        grave = False
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                self._file.info("%s", line)
                self._recent.append(line)
                # A traceback's lines name no level: they belong to the line before them.
                if found := _LEVEL.search(line[:80]):
                    grave = found.group() in self._grave
                if self._verbose or ((shown or grave) and self._live.is_set()):
                    self._say(self._prefix + line)


class Child:
    """A process that is started again, after ever longer pauses, whenever it ends by itself."""

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[], subprocess.Popen[bytes]],
        log: Log,
        say: Say,
        end_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.end_signal = end_signal
        self.log = log
        self.failures = 0
        self._start = start
        self._say = say
        self._started = 0.0
        self._due = 0.0
        self._readers: list[threading.Thread] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def group(self) -> int:
        return self.process.pid if self.process else 0

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.process = self._start()
        self._started = time.monotonic()
        self._readers = [
            self.log.follow(stream, shown=shown)
            for stream, shown in (
                (self.process.stdout, self.process.stderr is not None),
                (self.process.stderr, False),
            )
            if stream is not None
        ]

    def has_ended(self) -> bool:
        """Notice that the process ended, once: whatever it left behind is ended too."""
        if self.process is None or self.process.poll() is None:
            return False
        signal_group(self.process.pid, signal.SIGKILL)
        lived = time.monotonic() - self._started
        self.failures = 1 if lived > STEADY_SECONDS else self.failures + 1
        pause = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** (self.failures - 1))
        self._due = time.monotonic() + pause
        self._say(f"{self.name} stopped ({_reason(self.process.returncode)}); it starts again in {pause:g} s")
        return True

    def forget(self) -> None:
        self.process = None

    def is_due(self) -> bool:
        """Say whether the pause after the last end is over."""
        return self.process is None and time.monotonic() >= self._due

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.is_running():
            self.process.send_signal(number)

    def await_end(self, until: float) -> bool:
        """Say whether the process has ended by the monotonic time `until`."""
        return self.process is None or wait_for_exit(self.process, max(0.0, until - time.monotonic()))

    def kill(self) -> None:
        """End the process and everything it started that still lives."""
        if self.process is None:
            return
        signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join(2)


def _reason(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def piped(command: list[str], environment: dict[str, str], wrapper: Wrapper) -> subprocess.Popen[bytes]:
    """Start a command whose words can be read, in a process group of its own."""
    return subprocess.Popen(  # noqa: S603  # our own words
        [*wrapper.words, *command],
        pass_fds=wrapper.descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=paths.REPOSITORY,
        env={**os.environ, **environment},
        start_new_session=True,
    )
