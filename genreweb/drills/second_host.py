"""A second host of workers: it joins a site, shares its work, and is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from genreweb.drills.faults import Fault
from genreweb.trial import REPOSITORY, Site

SECONDS = 90.0
KNOWN = ("DATABASE_URL", "REDIS_URL", "S3_", "SECRET_KEY")
"""All that it is told of the site: the beginnings of names of variables."""
_CODE = ("genreweb", "classifier", "library", "training", "manage.py")


class SecondHost:
    """A worker that shares neither folder nor environment with the site: `told` is what it knows of it."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="genreweb-host-"))
        self._log = self._folder / "log"
        self.told = {name: value for name, value in told.items() if name.startswith(KNOWN)}
        self._process: subprocess.Popen[bytes] | None = None

    def join(self, _site: Site | None = None) -> None:
        """Start, and wait until it takes work."""
        code = self._folder / "code"
        for name in _CODE:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, code / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
            else:
                shutil.copy(source, code)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "GENREWEB_VAR": str(self._folder / "var"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "CELERY_SKIP_CHECKS": "1",
            **self.told,
        }
        words = ["--queues", "analysis,webhooks,bulk", "--concurrency", "1", "--hostname", "analysis@second"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "--app", "genreweb", "worker", "--loglevel", "INFO", *words],
                cwd=code,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await(" ready.")

    def analysed(self) -> int:
        """Count the analyses that it finished."""
        return sum("analyse_track" in line and " succeeded " in line for line in self._lines())

    def _begun(self) -> int:
        return sum("analyse_track" in line and " received" in line for line in self._lines())

    def _lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines() if self._log.exists() else []

    def _await(self, words: str) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if any(words in line for line in self._lines()):
                return
            time.sleep(0.2)
        raise SystemExit("The second host did not start:\n" + "\n".join(self._lines()[-20:]))

    def share_and_die(self, _site: Site | None = None) -> bool:
        """Wait until it has finished an analysis and works at another, then kill it; False if it got none."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if (done := self.analysed()) and self._begun() > done:
                break
            time.sleep(0.05)
        self.kill()
        return self.analysed() > 0

    def kill(self) -> None:
        """Kill all of its processes at once."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def fault(self) -> Fault:
        return Fault("after a second host was killed", self.share_and_die, prepare=self.join)
