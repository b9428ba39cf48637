"""A whole site of its own for the time of a block, as ``make run`` starts it: free port, fresh folder, and
one person who holds a token. The benchmark, the system tests and the browser tests use it.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 300
STOP_SECONDS = 60
# Settings that would make the site use other engines.
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "S3_BUCKET", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")


class TrialError(Exception):
    """The site did not start, with the end of its log."""


class Site:
    """A running site. `folder` is its var/, `log` what it printed."""

    command: Sequence[str] = (sys.executable, "-m", "genreweb.embedded", "run")

    def __init__(self, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="genreweb-trial-"))
        self.log = self.folder / "trial.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        self.email, self.password = "trial@example.org", secrets.token_urlsafe(16)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in _FOREIGN},
            "GENREWEB_VAR": str(self.folder),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "GENREWEB_ADMIN_EMAIL": self.email,
            "GENREWEB_ADMIN_PASSWORD": self.password,
            **environment,
        }
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the site without waiting until it answers."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def __enter__(self) -> Self:
        self.start()
        if not self.healthy(within=START_SECONDS):
            text = self.log.read_text(errors="replace")
            self.close()
            raise TrialError(f"The site did not start:\n{text[-4000:]}")
        status, answer = self.json(
            "POST", "/api/v1/tokens/", {"email": self.email, "password": self.password}
        )
        if status != http.HTTPStatus.CREATED:
            self.close()
            raise TrialError(f"No token: {status} {answer}")
        self.token = answer["token"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the site as Ctrl-C does, and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def healthy(self, *, within: float) -> bool:
        """Wait until the site says that it is well; False where it does not in time, or has ended."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                return False
            try:
                if self.request("GET", "/healthz")[0] == http.HTTPStatus.OK:
                    return True
            except OSError:
                pass
            time.sleep(0.2)
        return False

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request; give its status and its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, body, {**bearer, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def json(self, method: str, path: str, data: object) -> tuple[int, Any]:
        """Send `data` as JSON."""
        return self.request(method, path, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def upload(
        self,
        sound: bytes,
        *,
        name: str = "sound.mp3",
        wait: int = 30,
        to: str = "/api/v1/tracks/",
        fields: Mapping[str, str] | None = None,
        part: str = "file",
    ) -> tuple[int, Any]:
        """Send `sound` as a new track, or to another address with more fields; wait for its result."""
        boundary = secrets.token_hex(16)
        more = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in (fields or {}).items()
        )
        body = (
            more.encode()
            + (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            ).encode()
            + sound
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return self.request("POST", to, body, headers)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Give the processes of the site in whose command line one of `words` stands, parents first."""
        return [
            child
            for child, command in self._children()
            if any(word in part for part in command for word in words)
        ]

    def workers(self, queue: str = "analysis") -> list[psutil.Process]:
        """Give the processes of the worker that empties `queue`, the parent first."""
        return [
            child
            for child, command in self._children()
            if "--queues" in command and queue in command[command.index("--queues") + 1].split(",")
        ]

    def _children(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """Give the processes of the site with their command lines, parents first."""
        if self.process is None:
            return
        for child in psutil.Process(self.process.pid).children(recursive=True):
            # Workers start short-lived processes; one may end in this moment.
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            yield child, command
