"""A whole site, started the way ``make run`` starts it, for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from genreweb.embedded import paths


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


class RunningSite:
    """One ``python -m genreweb.embedded run`` and everything that it started."""

    def __init__(self, var: Path, **more: str) -> None:
        self.var = var
        self.port = free_port()
        self.env = environment(var, self.port, **more)
        # Read from the start, and not through a pipe that would fill up.
        self._output = tempfile.NamedTemporaryFile("w+", prefix="genreweb-site-", suffix=".out")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genreweb.embedded", "run"],
            cwd=paths.REPOSITORY,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def output(self) -> str:
        return Path(self._output.name).read_text()

    def wait_until(self, what: str, condition: Any, *, seconds: float = 120) -> None:
        """Wait for something to come true; fail with what the site said where it does not."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds:g} s: {what}\n{self.output()}")
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        self.wait_until("ready", lambda: "is ready at" in self.output() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def is_healthy(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

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
        return [
            process for process in self.family() if all(word in " ".join(process.cmdline()) for word in words)
        ]

    def has_another(self, pid: int, *words: str) -> bool:
        return any(process.pid != pid for process in self.named(*words))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for process in self.family():
            process.kill()
        self._output.close()
