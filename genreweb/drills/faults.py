"""Faults: what is broken, how it is mended; those of the processes of a site."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from genreweb.trial import Site


def _nothing() -> None:
    """Do nothing: most faults are mended by the site itself."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    strike
        Breaks something; False where there is nothing to break. It is called while uploads arrive.
    prepare
        Called before those uploads are let through.
    mend
        Called `lasts` seconds later; recovery is measured from here.
    """

    name: str
    strike: Callable[[Site], bool]
    prepare: Callable[[Site], None] = lambda _site: None
    mend: Callable[[], None] = _nothing
    lasts: float = 0.0


def end(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a signal; False if the process has ended."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def _end_broker(site: Site) -> bool:
    return any(end(process, signal.SIGKILL) for process in site.processes("redis-server", "valkey-server"))


def _end_database(site: Site) -> bool:
    """End PostgreSQL at once, as a crash does: it recovers from its log."""
    return any(end(process, signal.SIGQUIT) for process in site.processes("-D"))


def _end_web(site: Site) -> bool:
    """Kill the web server's first process."""
    return any(end(process, signal.SIGKILL) for process in site.processes("gunicorn")[:1])


BROKER = Fault("after the broker was killed", _end_broker)
DATABASE = Fault("after the database crashed", _end_database)
WEB_SERVER = Fault("after the web server was killed", _end_web)
