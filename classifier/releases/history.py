"""The files of a release that left the work tree, from the history of the clone that the program runs in."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
"""The folder that the program lies in."""
FOLDER = "classifier/releases"
_SECONDS = 120


@contextlib.contextmanager
def release_folder(name: str) -> Iterator[Path | None]:
    """Give the folder of a release for a block: from the work tree, else from the history, else None.

    Parameters
    ----------
    name
        Of the folder, such as "2026.11.4".
    """
    there = ROOT / FOLDER / name
    if there.is_dir():
        yield there
        return
    with tempfile.TemporaryDirectory(prefix="genreweb-release-") as scratch:
        yield _unpacked(f"{FOLDER}/{name}", Path(scratch))


def _unpacked(path: str, target: Path) -> Path | None:
    # The last commit that wrote to the folder holds all of it; the one that removed it holds nothing.
    commit = _git("log", "-1", "--format=%H", "--no-renames", "--diff-filter=AM", "--", path).decode().strip()
    content = _git("archive", "--format=tar", commit, "--", path) if commit else b""
    if not content:
        return None
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(target, filter="data")
    return target / path


def _git(*words: str) -> bytes:
    """Run git in the program's folder; nothing where it cannot answer."""
    git = shutil.which("git")
    if git is None:
        return b""
    try:
        done = subprocess.run(  # noqa: S603  # words of ours, no shell
            [git, *words],
            cwd=ROOT,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("git %s: %s", words[0], error)
        return b""
    if done.returncode:
        log.warning("git %s: %s", words[0], done.stderr.decode(errors="replace").strip())
        return b""
    return done.stdout
