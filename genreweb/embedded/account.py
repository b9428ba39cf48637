"""PostgreSQL refuses to run as root; where root runs the site, the database runs as somebody else."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TypedDict

from genreweb.embedded.paths import VarError

ACCOUNT = "genreweb"
_ACCOUNTS = (ACCOUNT, "postgres", "nobody")


class Identity(TypedDict, total=False):
    """What `subprocess.Popen` needs to start something as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


def identity(data: Path) -> Identity:
    """Say as whom the database runs: the owner of its data, else an account made for it.

    Without root there is nothing to say. Where no account can be made, those that other software made for
    the same purpose serve.
    """
    if os.getuid() != 0:
        return {}
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    with contextlib.suppress(KeyError):
        return _of(pwd.getpwnam(ACCOUNT))
    if useradd := shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        subprocess.run(  # noqa: S603  # fixed words
            [
                useradd,
                "--system",
                "--no-create-home",
                "--shell",
                "/bin/false",
                ACCOUNT,
            ],
            check=False,
            capture_output=True,
        )
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return _of(pwd.getpwnam(name))
    raise VarError("PostgreSQL does not run as root and no other account could be made: run as another user.")


def _of(entry: pwd.struct_passwd) -> Identity:
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def let_through(path: Path) -> None:
    """Let others pass through, not look into, every folder above `path`; root alone gets here."""
    for folder in path.resolve().parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise VarError(
                    f"The database cannot run as root, and others cannot pass {folder} ({error.strerror}): "
                    "run as another user or name another folder in GENREWEB_VAR."
                ) from error


def let_read(tree: Path) -> None:
    """Let others read and run what lies under `tree`: an installer with a strict umask kept it to root."""
    if not tree.exists():
        return
    let_through(tree)
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        # Whoever may be run by its owner may be run by others.
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)
