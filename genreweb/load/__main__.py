"""``python -m genreweb.load``: start a site, fill it, send people to it, and tell how long they waited.

Locust runs in an environment of its own, ``.venv/.load``, which ``make load`` makes. Ends with 1 on errors
alone: how fast a machine is depends on what else it does.
"""

from __future__ import annotations

import argparse
import http
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from classifier.benchmarks.sounds import mp3
from genreweb.load import figures
from genreweb.load.training import begin_training, step_of
from genreweb.trial import REPOSITORY, Site

LOCUST = REPOSITORY / ".venv" / ".load" / "bin" / "python"
MOST_PEOPLE, MOST_SECONDS = 500, 3600
FILL_SECONDS = 600
GRACE_SECONDS = 120
_LOG_LINES = 40
_ENVIRONMENT = {
    # All people are one account, at one address.
    "API_RATE_USER": "1000000/min",
    "QUOTA_TRACKS": "0",
    "QUOTA_MB": "0",
    "QUOTA_DAILY_MINUTES": "0",
}


def main() -> int:
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="genreweb-load-") as name, Site(**_ENVIRONMENT) as site:
        folder = Path(name)
        _fill(site, folder, people=asked.people, history=asked.history)
        if asked.training:
            print("Starting a full run", flush=True)
            run = begin_training(site, folder)
        print(f"{asked.people} people for {asked.seconds:g} s", flush=True)
        before = figures.cpu(site)
        sent = _send(site, folder, asked)
        used = figures.cpu(site).since(before)
        if asked.training:
            print(f"Meanwhile the run was at: {step_of(site, run)}")
        return _tell(site, folder, used, sent)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=50, help="how many at once; one in ten uploads")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--thought", type=float, default=2.0, help="seconds between two pages of a person")
    parser.add_argument("--history", type=int, default=10_000, help="tracks that are there")
    parser.add_argument("--training", action="store_true", help="have a full run train beside it")
    asked = parser.parse_args()
    if not 1 <= asked.people <= MOST_PEOPLE or not 1 <= asked.seconds <= MOST_SECONDS:
        parser.error(f"at most {MOST_PEOPLE} people and {MOST_SECONDS} seconds, and at least one")
    return asked


def _fill(site: Site, folder: Path, *, people: int, history: int) -> None:
    sound = mp3(30.0)
    (folder / "sound.mp3").write_bytes(sound)
    status, track = site.upload(sound, wait=60)
    if status != http.HTTPStatus.OK or track["status"] != "done":
        raise SystemExit(f"The first upload did not finish: {status} {track}")
    print(f"Making a history of {history} tracks", flush=True)
    code = (
        "from pathlib import Path; from genreweb.load.rows import fill;"
        f" fill(people={people}, history={history}, folder=Path({str(folder)!r}))"
    )
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", code],
        cwd=REPOSITORY,
        env=site.environment,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=FILL_SECONDS,
    )


def _send(site: Site, folder: Path, asked: argparse.Namespace) -> int:
    """Have Locust play the people; give its exit status."""
    words = [
        *("--locustfile", str(REPOSITORY / "genreweb/load/people.py"), "--host", site.address),
        *("--headless", "--only-summary", "--users", str(asked.people), "--spawn-rate", str(asked.people)),
        *("--run-time", f"{asked.seconds:g}s", "--stop-timeout", "30", "--loglevel", "ERROR"),
        *("--csv", str(folder / "load")),
    ]
    environment = {**os.environ, "LOAD_FOLDER": str(folder), "LOAD_THOUGHT": str(asked.thought)}
    done = subprocess.run(
        [str(LOCUST), "-m", "locust", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=asked.seconds + GRACE_SECONDS,
    )
    if not (folder / "load_stats.csv").exists():
        raise SystemExit(f"Locust did not run: {done.stderr[-2000:]}")
    return done.returncode


def _tell(site: Site, folder: Path, used: figures.Cpu, sent: int) -> int:
    rows = figures.pages(folder / "load_stats.csv")
    print(figures.table(rows, used))
    wrong = figures.failures(folder / "load_failures.csv")
    for line in wrong:
        print(f"ERROR: {line}")
    if wrong:
        print("".join(site.log.read_text(errors="replace").splitlines(keepends=True)[-_LOG_LINES:]))
    return 1 if wrong or sent or not rows[-1].requests else 0


if __name__ == "__main__":
    sys.exit(main())
