"""``make drill``: break a running site on purpose, and say what became of the uploads.

A site of its own takes uploads from several senders while its analysis workers are killed at random. Then its
broker, its database and its web server are ended, one after the other, and it is backed up. A sender repeats
what was not accepted, as a program should. At the end every accepted sound must have been analysed, and none
twice; and the backup, restored in an empty folder, must hold what it held.
"""

from __future__ import annotations

import argparse
import http
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import psutil

from classifier.benchmarks.sounds import variants
from genreweb.trial import REPOSITORY, Site

SENDERS = 4
KILL_EVERY_SECONDS = (3.0, 8.0)
PARENT_SHARE = 0.1
"""How often it is the worker's first process that is killed, with which all of them go."""
RECOVERY_SECONDS = 60.0
_LOG_LINES = 40
ACCEPTED = (http.HTTPStatus.OK, http.HTTPStatus.ACCEPTED)
_ENVIRONMENT = {
    "API_RATE_USER": "100000/min",
    "API_RATE_UPLOAD": "100000/min",
    "API_RATE_ANON": "100000/min",
}
_COUNT = """
import json
from django.db.models import Count
from library.models import Track
rows = Track.objects.annotate(analysed=Count("analyses")).values_list("sha256", "status", "analysed")
print("ROWS " + json.dumps([list(row) for row in rows]))
"""
Row = tuple[str, str, int]


@dataclass(slots=True)
class Report:
    """What happened."""

    accepted: set[str] = field(default_factory=set)
    """Ids of tracks that a sender was told of."""
    repeated: int = 0
    """Requests that were sent again."""
    killed: int = 0
    """Worker processes."""
    recovery: dict[str, float] = field(default_factory=dict)
    """Seconds until the site was healthy again, by what was ended."""
    longest_wait: float = 0.0
    """Seconds that a page needed to be answered, over all of its tries."""
    problems: list[str] = field(default_factory=list)


class Drill:
    """One run."""

    def __init__(self, site: Site, *, sounds: list[bytes], deadline: float, seed: int) -> None:
        self._site = site
        self._sounds = sounds
        self._deadline = deadline
        self._random = random.Random(seed)  # noqa: S311  # which worker is killed, not who may come in
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.report = Report()

    def run(self) -> Report:
        """Do all of it; nothing is left running."""
        readers = [threading.Thread(target=what) for what in (self._kill_workers, self._read_pages)]
        for reader in readers:
            reader.start()
        try:
            with ThreadPoolExecutor(SENDERS) as pool:
                sent = [pool.submit(self._send, sound) for sound in self._sounds]
                for name, end in (
                    ("broker", _end_broker),
                    ("database", _end_database),
                    ("web server", _end_web),
                ):
                    self._break(name, end)
                for one in sent:
                    one.result()
            self._over.set()
            self._await_analyses()
        finally:
            self._over.set()
            for reader in readers:
                reader.join()
        return self.report

    # --- people -----------------------------------------------------------------------------------------
    def _send(self, sound: bytes) -> None:
        """Send a sound until it is accepted."""
        while time.monotonic() < self._deadline:
            try:
                status, answer = self._site.upload(sound, wait=0)
            except (OSError, HTTPException, ValueError):
                status, answer = 0, None
            if status in ACCEPTED:
                with self._lock:
                    self.report.accepted.add(answer["id"])
                return
            with self._lock:
                self.report.repeated += 1
            time.sleep(0.5)
        self._problem("an upload was not accepted in time")

    def _read_pages(self) -> None:
        """Ask for a page again and again, as somebody who waits for it does."""
        while not self._over.wait(0.2):
            began = time.monotonic()
            while not self._answers("/api/v1/tracks/") and time.monotonic() < self._deadline:
                time.sleep(0.1)
            self.report.longest_wait = max(self.report.longest_wait, time.monotonic() - began)

    def _answers(self, path: str) -> bool:
        try:
            return bool(self._site.request("GET", path)[0] == http.HTTPStatus.OK)
        except (OSError, HTTPException, ValueError):
            return False

    # --- faults -----------------------------------------------------------------------------------------
    def _kill_workers(self) -> None:
        while not self._over.wait(self._random.uniform(*KILL_EVERY_SECONDS)):
            workers = self._site.workers()
            among = workers[:1] if self._random.random() < PARENT_SHARE else workers[1:]
            if among and _end(self._random.choice(among), signal.SIGKILL):
                self.report.killed += 1

    def _break(self, name: str, end: Callable[[Site], bool]) -> None:
        """End a part of the site, and wait until the site is well again."""
        time.sleep(self._random.uniform(2, 4))
        if not end(self._site):
            self._problem(f"no {name} was found to end")
            return
        began = time.monotonic()
        said = ""
        well = 0
        # Twice in a row: the first answer may be from before the fault.
        while well < 2 and time.monotonic() < began + RECOVERY_SECONDS:
            time.sleep(0.5)
            try:
                status, answer = self._site.request("GET", "/healthz")
            except (OSError, HTTPException, ValueError) as error:
                status, answer = 0, error
            well = well + 1 if status == http.HTTPStatus.OK else 0
            said = str(answer)
        self.report.recovery[name] = time.monotonic() - began
        if well < 2:
            self._problem(f"the site did not recover from the end of the {name}: {said}")

    # --- the end ----------------------------------------------------------------------------------------
    def _await_analyses(self) -> None:
        began = time.monotonic()
        while time.monotonic() < self._deadline:
            if all(
                status in ("done", "failed") for _sha256, status, _analysed in count(self._site.environment)
            ):
                self.report.recovery["last analysis"] = time.monotonic() - began
                return
            time.sleep(1)
        self._problem("not every track was analysed in time")

    def _problem(self, sentence: str) -> None:
        with self._lock:
            self.report.problems.append(sentence)


def count(environment: dict[str, str]) -> list[Row]:
    """Give the hash, the status and the number of analyses of every track of a site."""
    done = _manage(environment, "shell", "--no-imports", "--command", _COUNT)
    for line in done.stdout.splitlines():
        if line.startswith("ROWS "):
            return [(sha256, status, analysed) for sha256, status, analysed in json.loads(line[5:])]
    raise SystemExit(f"The tracks could not be counted: {done.stderr[-2000:]}")


def restored(site: Site, report: Report) -> list[Row]:
    """Back the running site up, restore it in an empty folder, and give the tracks of that one."""
    with tempfile.TemporaryDirectory(prefix="genreweb-drill-") as name:
        folder = Path(name)
        archive = folder / "site.tar"
        began = time.monotonic()
        made = _manage(site.environment, "backup", str(archive))
        report.recovery["backup"] = time.monotonic() - began
        environment = {**site.environment, "GENREWEB_VAR": str(folder / "var")}
        began = time.monotonic()
        done = _manage(environment, "restore", str(archive))
        report.recovery["restore on an empty machine"] = time.monotonic() - began
        if made.returncode or done.returncode:
            report.problems.append(f"backup or restore failed: {made.stderr} {done.stderr}"[-1000:])
            return []
        return count(environment)


def _manage(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=RECOVERY_SECONDS,
    )


def _end_broker(site: Site) -> bool:
    return any(_end(process, signal.SIGKILL) for process in _named(site, "redis-server", "valkey-server"))


def _end_database(site: Site) -> bool:
    """End PostgreSQL at once, as a crash does: it recovers from its log."""
    return any(_end(process, signal.SIGQUIT) for process in _named(site, "-D"))


def _end_web(site: Site) -> bool:
    """Kill the web server's first process."""
    return any(_end(process, signal.SIGKILL) for process in _named(site, "gunicorn")[:1])


def _named(site: Site, word: str, *others: str) -> list[psutil.Process]:
    """Give the processes of a site in whose command line a word stands, parents first."""
    assert site.process is not None  # noqa: S101  # it was started
    found = []
    for process in psutil.Process(site.process.pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if any(one in part for part in command for one in (word, *others)):
            found.append(process)
    return found


def _end(process: psutil.Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=480.0, help="when the drill gives up")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"{asked.uploads} uploads, seed {asked.seed}")
    sounds = variants(asked.uploads)
    with Site(**_ENVIRONMENT) as site:
        drill = Drill(site, sounds=sounds, deadline=time.monotonic() + asked.seconds, seed=asked.seed)
        report = drill.run()
        rows = count(site.environment)
        copy = restored(site, report)
        if report.problems:
            print("".join(site.log.read_text(errors="replace").splitlines(keepends=True)[-_LOG_LINES:]))
    return tell(report, rows, copy, uploads=asked.uploads)


def tell(report: Report, rows: list[Row], copy: list[Row], *, uploads: int) -> int:
    """Print the figures; give 0 if nothing was lost, nothing came twice and everything recovered."""
    done = {sha256 for sha256, status, _analysed in rows if status == "done"}
    lost = uploads - len(done)
    twice = (
        len(rows) - len({row[0] for row in rows}) + sum(analysed > 1 for _sha256, _status, analysed in rows)
    )
    print(f"{'accepted':<32}{len(report.accepted):>8} of {uploads}, {report.repeated} requests repeated")
    print(f"{'worker processes killed':<32}{report.killed:>8}")
    failed = sum(status == "failed" for _sha256, status, _analysed in rows)
    print(f"{'lost':<32}{lost:>8}, of which {failed} failed")
    print(f"{'twice':<32}{twice:>8}")
    print(f"{'longest wait for a page':<32}{report.longest_wait:>8.1f} s")
    for name, seconds in report.recovery.items():
        print(f"{name:<32}{seconds:>8.1f} s")
    print(f"{'tracks in the restored copy':<32}{len(copy):>8} of {len(rows)}")
    if sorted(copy) != sorted(rows):
        report.problems.append("the restored site differs from the one that was backed up")
    for problem in report.problems:
        print(f"PROBLEM: {problem}")
    return 1 if lost or twice or report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
