"""``make bench``: how fast the core is, and how long a person waits, in one table and in ``var/bench.json``.

The core's figures come from ``classifier.benchmarks``, measured beside a plain implementation. This module
adds what only the whole platform can show: it starts a site of its own on a free port, with its own database,
queue and workers, and sends music through the API.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from classifier.benchmarks.sounds import variants

REPOSITORY = Path(__file__).resolve().parent.parent
UPLOADS = 30
AT_ONCE = 8
START_SECONDS = 120


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is plain implementation ÷ this, where there is a plain one."""

    name: str
    unit: str
    median: float
    p95: float
    ratio: float | None = None


class Site:
    """A site of its own for the time of a block, with one person who holds a token."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="genreweb-bench-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.email, self.password = "bench@example.org", secrets.token_urlsafe(16)
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET")},
            "GENREWEB_VAR": str(self.folder),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "GENREWEB_ADMIN_EMAIL": self.email,
            "GENREWEB_ADMIN_PASSWORD": self.password,
        }
        self.token = ""

    def __enter__(self) -> Site:
        self.log = (self.folder / "bench.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genreweb.embedded", "run"],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.request("GET", "/healthz")[0] == http.HTTPStatus.OK:
                    body = json.dumps({"email": self.email, "password": self.password}).encode()
                    status, answer = self.request(
                        "POST", "/api/v1/tokens/", body, {"Content-Type": "application/json"}
                    )
                    assert status == http.HTTPStatus.CREATED, answer
                    self.token = answer["token"]
                    return self
            except OSError:
                pass
            time.sleep(0.2)
        text = (self.folder / "bench.log").read_text(errors="replace")
        self.__exit__()
        raise SystemExit(f"The site did not start:\n{text[-3000:]}")

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, body, {**bearer, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def upload(self, sound: bytes) -> float:
        """Send `sound` and wait for its verdict; give the seconds that a person waited."""
        boundary = secrets.token_hex(16)
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="bench.mp3"\r\n'
                "Content-Type: audio/mpeg\r\n\r\n"
            ).encode()
            + sound
            + f"\r\n--{boundary}--\r\n".encode()
        )
        started = time.perf_counter()
        status, track = self.request(
            "POST",
            "/api/v1/tracks/",
            body,
            {"Content-Type": f"multipart/form-data; boundary={boundary}", "Prefer": "wait=30"},
        )
        seconds = time.perf_counter() - started
        assert status == http.HTTPStatus.OK, (status, track)
        assert track["status"] == "done", track
        return seconds

    def worker_memory(self) -> float:
        """Give the largest resident memory of an analysis worker process, in MiB."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        sizes = [
            child.memory_info().rss / 2**20
            for child in children
            if any("celery" in part for part in child.cmdline()) and "analysis" in " ".join(child.cmdline())
        ]
        return max(sizes)


def measure() -> list[Row]:
    """Measure uploads one after another, several at once, and what a worker weighs afterwards."""
    sounds = variants(UPLOADS + AT_ONCE + 1)
    with Site() as site:
        cold = site.upload(sounds.pop())
        alone = [site.upload(sounds.pop()) for _ in range(UPLOADS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            together = list(pool.map(site.upload, sounds))
        whole = time.perf_counter() - started
        memory = site.worker_memory()
    return [
        Row("first upload after the start", "s", cold, cold),
        Row("upload to result, idle worker", "s", statistics.median(alone), percentile(alone, 95)),
        Row(f"upload to result, {AT_ONCE} at once", "s", statistics.median(together), whole),
        Row("analysis worker, resident", "MiB", memory, memory),
    ]


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def main() -> int:
    target = Path(os.environ.get("GENREWEB_VAR", REPOSITORY / "var")) / "bench.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    core = subprocess.run(
        [sys.executable, "-m", "classifier.benchmarks", "--json", str(target)], cwd=REPOSITORY, check=False
    )
    if core.returncode:
        return core.returncode
    rows = json.loads(target.read_text())
    machine = rows[0]["machine"] if rows else ""
    for row in measure():
        print(f"{row.name:<44} {row.median:>10.3f} {row.p95:>10.3f} {row.unit}")
        rows.append({**asdict(row), "machine": machine})
    target.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"Written to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
