"""Both private engines together, and how a command borrows them.

``make run`` owns its engines. A ``manage.py`` command without one borrows them from a keeper: a process of
its own that starts them, and stops them as soon as nobody holds the users' lock any more. The kernel lets go
of a lock whose holder died, so that even a killed command leaves no engine behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import IO

from genreweb.embedded import leftovers, paths
from genreweb.embedded.flag import Flag
from genreweb.embedded.locks import FileLock
from genreweb.embedded.postgres import Postgres
from genreweb.embedded.process import EngineError, wait_for_exit
from genreweb.embedded.redis import Redis

START_SECONDS = 60
READY = "ready"
"""What the owner of the engines writes into its lock once they can be used."""
Engine = Postgres | Redis
_ADDRESSES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}


def wanted() -> list[str]:
    """Name the engines that this site keeps itself: those that no address is set for."""
    return [name for name, variable in _ADDRESSES.items() if not os.environ.get(variable)]


def make(*, volatile: bool = False) -> list[Engine]:
    """Give the engines of this site in the order in which they start."""
    kinds: dict[str, type[Engine]] = {"postgres": Postgres, "redis": Redis}
    return [kinds[name](volatile=volatile) for name in wanted()]


def becomes_ready(
    engine: Engine, process: subprocess.Popen[bytes], *, go_on: Callable[[], None] = lambda: None
) -> bool:
    """Wait until `engine` can be used; False where it ends or takes too long. `go_on` may raise."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if engine.is_ready(process):
            return True
        go_on()
        time.sleep(0.02)
    return False


def open_log(name: str) -> IO[bytes]:
    return (paths.log_dir() / f"{name}.log").open("ab", buffering=0)


def tail(name: str, *, lines: int = 12) -> str:
    """Give the last lines of a log."""
    with contextlib.suppress(OSError), (paths.log_dir() / f"{name}.log").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    return ""


def keep(*, volatile: bool) -> int:
    """Run the engines for as long as anybody borrows them. This is the keeper's whole life."""
    stop = Flag()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    owner, users = FileLock(paths.engines_lock()), FileLock(paths.users_lock())
    if not owner.try_take(seconds=1):
        return 0
    owner.write("starting")
    paths.make_var()
    if not FileLock(paths.site_lock()).is_held():
        # A site that was killed goes on without its supervisor; a command such as `restore` needs it stopped.
        leftovers.end_leftovers()
    running: list[tuple[Engine, subprocess.Popen[bytes]]] = []
    try:
        for engine in make(volatile=volatile):
            engine.prepare()
            with open_log(engine.name) as log:
                running.append((engine, engine.start(log)))
        for place, (engine, process) in enumerate(running):
            if not becomes_ready(engine, process) and engine.recover():
                with open_log(engine.name) as log:
                    running[place] = (engine, engine.start(log))
        for engine, process in running:
            if not becomes_ready(engine, process):
                raise EngineError(f"{engine.name} does not start:\n{tail(engine.name)}")
        owner.write(READY)
        while not stop.is_set() and all(process.poll() is None for _, process in running):
            if users.try_take():
                break
            stop.wait(0.2)
    finally:
        for engine, process in reversed(running):
            engine.stop(process)
        paths.clear_run_dir()
        owner.write("")
    return 0


class Borrowed:
    """The engines, for as long as one command needs them."""

    def __init__(self, *, volatile: bool = False) -> None:
        self._volatile = volatile
        self._users = FileLock(paths.users_lock())
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Borrowed:
        """Find the engines running, or have them started; raise `EngineError` or `VarError` if that fails."""
        if not wanted():
            return self
        paths.make_var()
        self._users.share()
        end = time.monotonic() + START_SECONDS
        owner = FileLock(paths.engines_lock())
        while not (held := owner.is_held()) or owner.read() != READY:
            status = self._keeper.poll() if self._keeper else 0
            if not held and status == 0:
                self._keeper = self._start_keeper()
            elif status or time.monotonic() > end:
                self._users.release()
                raise EngineError(tail("keeper") or "The private engines do not start.")
            time.sleep(0.02)
        return self

    def __exit__(self, *error: object) -> None:
        self._users.release()

    def wait_until_stopped(self, seconds: float) -> None:
        """Wait for the engines to stop, if it was for this command that they were started."""
        if self._keeper is not None:
            wait_for_exit(self._keeper, seconds)

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        with open_log("keeper") as log:
            log.truncate(0)
            return subprocess.Popen(  # noqa: S603  # our own words
                [
                    sys.executable,
                    "-m",
                    "genreweb.embedded",
                    "keep",
                    *(["--volatile"] if self._volatile else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=paths.REPOSITORY,
                env={**os.environ, "GENREWEB_VAR": str(paths.var_dir())},
                start_new_session=True,
            )
