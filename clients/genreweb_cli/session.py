"""Which site is meant and whose token is used: from options, the environment, or a private file."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

SITE, TOKEN = "GENREWEB_SITE", "GENREWEB_TOKEN"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SessionError(Exception):
    """There is no site or no token, or the file that holds it may be read by others."""


@dataclass(frozen=True)
class Session:
    """A site and a token for it."""

    site: str
    token: str


def folder() -> Path:
    """Where this command keeps the token and what was sent."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "genreweb"


def _file() -> Path:
    return folder() / "session.json"


def chosen(*, site: str, token_file: Path | None) -> Session:
    """Find site and token: options go before the environment, and that before what was kept at signing in.

    Raises
    ------
    SessionError
    """
    kept = _kept()
    site = (site or os.environ.get(SITE, "") or (kept.site if kept else "")).rstrip("/")
    if not site:
        raise SessionError(f"No site: sign in first, or set {SITE}, or give --site.")
    if token_file is not None:
        return Session(site, _private(token_file).strip())
    if token := os.environ.get(TOKEN, "").strip():
        return Session(site, token)
    if kept is None:
        raise SessionError(f"No token: sign in first, or set {TOKEN}, or give --token-file.")
    if kept.site != site:
        # A token is never sent to another site than its own.
        raise SessionError(f"The token that is kept is for {kept.site}: sign in to {site} first.")
    return kept


def keep(session: Session) -> Path:
    """Keep site and token in a file that nobody else may read."""
    place = _file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made with mode 600, and in one step: a reader finds the old one or the new one.
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".session-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"site": session.site, "token": session.token}, file)
    Path(name).replace(place)
    return place


def forget() -> Session | None:
    """Remove what was kept, and return it."""
    kept = _kept()
    with contextlib.suppress(FileNotFoundError):
        _file().unlink()
    return kept


def _kept() -> Session | None:
    if not _file().exists():
        return None
    try:
        said = json.loads(_private(_file()))
        return Session(str(said["site"]), str(said["token"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{_file()} is damaged: sign in again.") from error


def _private(path: Path) -> str:
    """Read a file that only its owner may read."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & _OTHERS:
                raise SessionError(f"Others may read {path}, which holds a token: chmod 600 {path}")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SessionError(f"{path} cannot be read: {error}") from error
