"""Where the private engines and everything else that a site keeps on its disk lie.

Every place follows from ``GENREWEB_VAR`` alone, so that a ``manage.py shell`` in another terminal finds the
engines that ``make run`` started, and two folders never meet.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent.parent

RUN_DIR_BYTES = 100 - len("/postgres/.s.PGSQL.5432")
"""Room for the folder of sockets: ``sun_path`` holds 104 bytes on macOS, 108 on Linux, the name included."""

SHORT_PLACE = Path("/tmp")  # noqa: S108  # who owns what is found there is looked at
"""Where sockets go whose own place has too long a path; unlike TMPDIR, the same in every terminal."""

_DATABASE = "genreweb"
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class VarError(Exception):
    """The folder that everything is kept in cannot be used; the text says why in one sentence."""


def var_dir() -> Path:
    """Give the folder that holds all the data of this site; a relative one is meant from the repository."""
    return (REPOSITORY / (os.environ.get("GENREWEB_VAR") or "var")).resolve()


def pgdata() -> Path:
    return var_dir() / "postgres"


def redis_data() -> Path:
    return var_dir() / "redis"


def log_dir() -> Path:
    return var_dir() / "log"


def run_dir() -> Path:
    """Give the folder of sockets and locks, outside of ``var`` where its own path is too long or too odd.

    PostgreSQL, Redis and the URLs of both quote odd characters in three different ways.
    """
    inside = var_dir() / "run"
    if len(os.fsencode(inside)) <= RUN_DIR_BYTES and _PLAIN.fullmatch(str(inside)):
        return inside
    name = hashlib.sha256(os.fsencode(var_dir())).hexdigest()[:12]
    return SHORT_PLACE.resolve() / f"genreweb-{os.getuid()}-{name}"


def postgres_socket_dir() -> Path:
    return run_dir() / "postgres"


def redis_socket() -> Path:
    return run_dir() / "redis.sock"


def site_lock() -> Path:
    """Give the file that the one supervisor of this folder keeps locked."""
    return var_dir() / "site.lock"


def engines_lock() -> Path:
    """Give the file that whoever runs the engines keeps locked."""
    return var_dir() / "engines.lock"


def users_lock() -> Path:
    """Give the file that every command which borrows the engines keeps locked, shared."""
    return var_dir() / "users.lock"


def database_settings() -> dict[str, Any]:
    """Give Django's settings for the private PostgreSQL."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _DATABASE,
        "USER": _DATABASE,
        "HOST": str(postgres_socket_dir()),
    }


def database_url() -> str:
    return f"postgresql://{_DATABASE}@/{_DATABASE}?host={postgres_socket_dir()}"


def redis_url() -> str:
    return f"unix://{redis_socket()}?db=0"


def celery_url(url: str) -> str:
    """Write the address of a Redis the way Celery reads it: it has its own scheme for sockets.

    >>> celery_url("unix:///srv/var/run/redis.sock?db=1")
    'redis+socket:///srv/var/run/redis.sock?virtual_host=1'
    """
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    db = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={db}"


def make_var() -> Path:
    """Make the folder and what lies in it, or raise `VarError`.

    The folder itself may be searched by others where root runs the site, because PostgreSQL then runs as
    somebody else; what is in it is closed one by one.
    """
    var = var_dir()
    mode = 0o711 if os.getuid() == 0 else 0o700
    try:
        _make_folder(var, mode)
        probe = var / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
        log_dir().mkdir(mode=0o700, exist_ok=True)
        _make_folder(run_dir(), mode)
    except OSError as error:
        raise VarError(
            f"Cannot write to {var} ({error.strerror}): "
            "make it writable or name another folder in GENREWEB_VAR."
        ) from error
    found = run_dir().lstat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o066:
        raise VarError(f"The folder {run_dir()} belongs to somebody else or is open to others: remove it.")
    return var


def _make_folder(path: Path, mode: int) -> None:
    """Make a folder unless another process has just done so; at no moment is it wider open than `mode`."""
    try:
        path.mkdir(mode=mode, parents=True)
    except FileExistsError:
        return
    path.chmod(mode)  # what the umask took away: PostgreSQL may run as somebody else


def clear_run_dir() -> None:
    """Remove the folder of sockets where it lies outside of `var`; whoever runs the engines makes it anew."""
    if not run_dir().is_relative_to(var_dir()):
        shutil.rmtree(run_dir(), ignore_errors=True)


def secret_key() -> str:
    """Give the key that signs this site's cookies and links; it is made once, for its owner's eyes only."""
    path = var_dir() / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise VarError(f"Cannot read {path} ({error.strerror}).") from error
    make_var()
    # Written aside and linked: of two processes that start at once, both end up with the same whole key.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        try:
            Path(path).hardlink_to(name)
        except FileExistsError:
            pass
        except OSError:
            # Some network and container disks know no hard links.
            Path(name).replace(path)
            return path.read_text().strip()
    finally:
        Path(name).unlink(missing_ok=True)
    return path.read_text().strip()
