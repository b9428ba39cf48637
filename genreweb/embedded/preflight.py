"""What must be so before a site starts; what is not, is said in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from dataclasses import dataclass

import psutil

from genreweb.embedded import paths
from genreweb.embedded.locks import FileLock
from genreweb.embedded.process import EngineError

DISK_BYTES = 500 * 2**20
CLOSING_SECONDS = 30
"""How long a site may take to end; the next one waits for it."""


@dataclass(frozen=True)
class Address:
    """Where the web server listens."""

    host: str
    port: int

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable_host(self) -> str:
        """Where this machine reaches a server that listens everywhere."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        return f"http://{Address(self.reachable_host, self.port).bind}/"


def address() -> Address:
    """Read HOST and PORT, or raise `EngineError` where they make no sense."""
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise EngineError(f"PORT={port} is not a port: choose a number between 1 and 65535.")
    return Address(host=(os.environ.get("HOST") or "127.0.0.1").strip("[]"), port=int(port))


def check_python() -> None:
    """Refuse a Python in which the site would fail later and less clearly."""
    if sys.version_info < (3, 11):  # noqa: UP036  # the make file chooses a right one, people may not
        raise EngineError("Genreweb needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))


def check_port(where: Address) -> None:
    """Refuse an address that the web server could not listen on."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise EngineError(f"HOST={where.host} is not an address of this machine.") from error
    family, kind, protocol, _, target = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
        except OSError as error:
            raise EngineError(_why_not(where, error)) from error


def _why_not(where: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = where.port + 1 if where.port < 65535 else where.port - 1
        return (
            f"Port {where.port} on {where.host} is taken: choose another, for example PORT={other} make run."
        )
    if error.errno == errno.EACCES:
        return f"Port {where.port} is reserved for the administrator: choose one above 1023 in PORT."
    return f"Cannot listen on {where.bind} ({error.strerror}): choose another HOST."


def check_disk() -> None:
    """Refuse a disk on which the database would stop in the middle of a song."""
    free = shutil.disk_usage(paths.var_dir()).free
    if free < DISK_BYTES:
        raise EngineError(
            f"Only {free // 2**20} MB are free on the disk of {paths.var_dir()}, and at least "
            f"{DISK_BYTES // 2**20} MB are needed: make room or name another folder in GENREWEB_VAR."
        )


def take_site(where: Address) -> FileLock:
    """Make the folder this process's own, or raise `EngineError` while another site lives in it."""
    lock = FileLock(paths.site_lock())
    if not lock.try_take():
        pid, _, url = lock.read().partition(" ")
        if (pid.isdecimal() and psutil.pid_exists(int(pid))) or not lock.try_take(seconds=CLOSING_SECONDS):
            raise EngineError(
                f"Genreweb already runs on {paths.var_dir()} ({url or 'starting'}, process {pid or '?'}): "
                "stop it first, or name another folder in GENREWEB_VAR."
            )
    lock.write(f"{os.getpid()} {where.url}")
    return lock


def take_engines() -> FileLock:
    """Make the engines this process's own, or raise `EngineError` while a command goes on borrowing them."""
    lock = FileLock(paths.engines_lock())
    if not lock.try_take(seconds=10):
        raise EngineError(
            f"A manage.py command is using the private database in {paths.var_dir()}: let it end first."
        )
    lock.write("starting")
    return lock
