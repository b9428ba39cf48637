"""Sites by their environment alone: what they hold, and copies of them made from a backup."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from genreweb.drills.report import Report, Row
from genreweb.trial import REPOSITORY

SECONDS = 120.0
_TRACKS = """
import hashlib, json
from django.db.models import Count
from library.models import Track
def same(track):
    with track.sound.open("rb") as sound:
        return hashlib.file_digest(sound, "sha256").hexdigest() == track.sha256
rows = list(Track.objects.annotate(analysed=Count("analyses")))
if {files}:
    print("DAMAGED " + json.dumps(sum(not same(track) for track in rows)))
print("ROWS " + json.dumps([[track.sha256, track.status, track.analysed] for track in rows]))
"""
_ADDRESSES = "from genreweb.embedded import paths; print(paths.database_url(), paths.redis_url())"
_KEEP = """
import sys
from genreweb.embedded import paths
from genreweb.embedded.engines import Borrowed
with Borrowed():
    print(paths.database_url(), paths.redis_url(), flush=True)
    sys.stdin.read()
"""
Environment = Mapping[str, str]


def tracks_of(environment: Environment) -> list[Row]:
    """Give the tracks of a site."""
    return _read(environment, files=False)[0]


def _read(environment: Environment, *, files: bool) -> tuple[list[Row], int]:
    """Give the tracks of a site, and how many have another sound in the storage than they should."""
    code = _TRACKS.replace("{files}", str(files))
    done = manage(environment, "shell", "--no-imports", "--command", code)
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("ROWS ", "DAM")))
    if "ROWS" not in said:
        raise SystemExit(f"The tracks could not be counted: {done.stderr[-2000:]}")
    return [(sha256, status, number) for sha256, status, number in json.loads(said["ROWS"])], int(
        said.get("DAMAGED", 0)
    )


def manage(environment: Environment, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ``manage.py`` on a site."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=REPOSITORY,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def addresses_of(environment: Environment) -> Environment:
    """Give the addresses of a site's own engines."""
    done = subprocess.run(
        [sys.executable, "-c", _ADDRESSES],
        cwd=REPOSITORY,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return _named(done.stdout)


def _named(said: str) -> Environment:
    return dict(zip(("DATABASE_URL", "REDIS_URL"), said.split(), strict=True))


def try_backup(environment: Environment, rows: list[Row], report: Report, *, bucket: Environment) -> None:
    """Back a running site up; restore it in an empty folder, and onto a bucket and an external database."""
    with tempfile.TemporaryDirectory(prefix="genreweb-drill-") as name:
        folder = Path(name)
        # The database runs as somebody else where root starts it, and has to reach its folder.
        folder.chmod(0o711)
        archive = folder / "site.tar"
        began = time.monotonic()
        made = manage(environment, "backup", str(archive))
        report.recovery["backup of the running site"] = time.monotonic() - began
        if made.returncode:
            report.problems.append(f"the backup failed: {made.stderr[-1000:]}")
            return
        empty = {**environment, "GENREWEB_VAR": str(folder / "var")}
        _restore(archive, empty, rows, report, "restore in an empty folder")
        with _engines(environment, folder / "elsewhere") as engines:
            elsewhere = {
                **environment,
                **engines,
                **bucket,
                "SECRET_KEY": secrets.token_urlsafe(50),
                "GENREWEB_VAR": str(folder / "no engines"),
            }
            _restore(archive, elsewhere, rows, report, "restore onto a bucket and a database elsewhere")
        if (folder / "no engines" / "postgres").exists():
            report.problems.append("the restored site made a database of its own")


def _restore(archive: Path, environment: Environment, rows: list[Row], report: Report, name: str) -> None:
    began = time.monotonic()
    done = manage(environment, "restore", str(archive))
    report.recovery[name] = time.monotonic() - began
    if done.returncode:
        report.problems.append(f"{name} failed: {done.stderr[-1000:]}")
        return
    found, damaged = _read(environment, files=True)
    if sorted(found) != sorted(rows):
        report.problems.append(f"{name}: {len(found)} tracks, which are not the {len(rows)} backed up")
    if damaged:
        report.problems.append(f"{name}: {damaged} sounds differ from those that were backed up")


@contextlib.contextmanager
def _engines(environment: Environment, var: Path) -> Iterator[Environment]:
    """Run a database and a broker of another folder, and give their addresses."""
    with subprocess.Popen(
        [sys.executable, "-c", _KEEP],
        cwd=REPOSITORY,
        env={**environment, "GENREWEB_VAR": str(var)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin is not None  # noqa: S101  # pipes were asked for
        assert keeper.stdout is not None  # noqa: S101
        try:
            yield _named(keeper.stdout.readline())
        finally:
            keeper.stdin.close()
