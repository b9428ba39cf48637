"""A whole site, looked at from outside: its processes, its words, what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from genreweb.embedded import paths
from genreweb.trial import Site


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(var: Path, port: int, **more: str) -> dict[str, str]:
    """Give the environment of somebody who never ran a test: nothing of this run's own engines shows."""
    hidden = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "GENREWEB_ADMIN_EMAIL", "GENREWEB_ADMIN_PASSWORD")
    kept = {key: value for key, value in os.environ.items() if key not in hidden}
    return {**kept, "GENREWEB_VAR": str(var), "PORT": str(port), "HOST": "127.0.0.1", **more}


def run_command(*words: str, env: dict[str, str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=paths.REPOSITORY,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def copy_prepared(
    prepared: Path, *, to: Path, parts: Iterable[str] = ("media", "postgres", "secret_key", "static")
) -> None:
    """Copy what a site keeps into the folder of one that was never started."""
    to.mkdir(parents=True, exist_ok=True)
    # Where root runs the site, the database belongs to somebody else.
    subprocess.run(["cp", "-a", *(str(prepared / part) for part in parts), str(to)], check=True)


class WatchedSite(Site):
    """One site in the folder `var`, started at once, and every process that belongs to it."""

    def __init__(self, var: Path, **more: str) -> None:
        nobody = {"GENREWEB_ADMIN_EMAIL": "", "GENREWEB_ADMIN_PASSWORD": ""}
        super().__init__(**{"GENREWEB_VAR": str(var), **nobody, **more})
        self.var = var
        self.supervisor = self.start()

    def output(self) -> str:
        return self.log.read_text()

    def wait_until(self, what: str, condition: Callable[[], object], *, seconds: float = 120) -> None:
        """Wait for something to come true; fail with what the site said where it does not."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds:g} s: {what}\n{self.output()}")
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        over = self.supervisor.poll
        self.wait_until("ready", lambda: "is ready at" in self.output() or over() is not None)
        assert over() is None, self.output()

    def wait_until_healthy(self) -> None:
        assert self.healthy(within=60), self.output()

    def family(self) -> list[psutil.Process]:
        """Give every process of this site, whoever its parent is now."""
        found = []
        for process in psutil.process_iter(["environ", "cwd", "status"]):
            # Engines write their titles over their environment, but work in their folders.
            environ, cwd = process.info["environ"] or {}, process.info["cwd"] or ""
            mine = environ.get("GENREWEB_VAR") == str(self.var) or cwd.startswith(str(self.var))
            if mine and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def named(self, *words: str) -> list[psutil.Process]:
        """Give the processes of this site whose command line has all of `words`."""
        found = []
        for process in self.family():
            # It may end meanwhile.
            with contextlib.suppress(psutil.NoSuchProcess):
                if all(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
        return found

    def has_another(self, pid: int, *words: str) -> bool:
        return any(process.pid != pid for process in self.named(*words))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the site to end; give its exit status."""
        self.supervisor.send_signal(number)
        return self.supervisor.wait(60)

    def kill_all(self) -> list[psutil.Process]:
        """Kill every process of this site; give those that were there."""
        found = self.family()
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return found

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        try:
            super().close()
        finally:
            self.wait_until("all dead", lambda: not self.kill_all())
