"""Whether this folder was last prepared for exactly the code that is here now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from genreweb.embedded import paths

_FOLDERS = ("genreweb", "classifier", "library", "training", "static", "templates")
_FILES = ("requirements.txt", "package-lock.json", "node_modules/.package-lock.json", ".venv/.runtime")


def _stamp() -> Path:
    return paths.var_dir() / "prepared"


def is_prepared() -> bool:
    """Say whether rows and static files are known to fit: then nobody needs to wait for a look at them."""
    try:
        return _stamp().read_text() == _fingerprint()
    except OSError:
        return False


def note_prepared() -> None:
    _stamp().write_text(_fingerprint())


def forget_prepared() -> None:
    _stamp().unlink(missing_ok=True)


def _fingerprint() -> str:
    digest = hashlib.sha256(str(paths.REPOSITORY).encode())
    for path in _files():
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for name in _FILES:
        if (path := paths.REPOSITORY / name).exists():
            yield path
    for folder in _FOLDERS:
        for path in sorted((paths.REPOSITORY / folder).rglob("*")):
            if path.suffix != ".pyc" and path.is_file():
                yield path
