"""A pytest plugin (``-p genreweb.testing``): every run of the tests has its own folder, PostgreSQL and Redis.

It must be imported before Django's settings are. Several runs may go on at once; whatever ends a run, its
engines end too. With ``DATABASE_URL`` or ``REDIS_URL`` set, those are used instead. Tests of the pure core
wait for nothing: the engines start only if a collected test can need them.

Under pytest-xdist each worker process imports this plugin, and so has a folder and engines of its own.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from genreweb.embedded import paths
from genreweb.embedded.engines import Borrowed
from genreweb.embedded.process import EngineError

_DATABASE_FIXTURES = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "live_server",
    "broker",
    "client",
}
_PURE = (paths.REPOSITORY / "classifier", paths.REPOSITORY / "e2e")
"""Tests that need no engines unless they ask for them: those of the core, and those that start a site."""

_folder = Path(tempfile.mkdtemp(prefix="genreweb-test-"))
shared_folder = Path(os.environ["GENREWEB_VAR"]) if "PYTEST_XDIST_WORKER" in os.environ else _folder
"""One for all processes of pytest-xdist: that of the process which started them. It is removed at the end."""
os.environ["GENREWEB_VAR"] = str(_folder)
# Where it is missing, every client of every test warns of it.
(_folder / "static").mkdir()
# As in the site's own processes: threads of a BLAS that wait for each other cost more than they bring.
for _library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_library, "1")
# What a shell starts in the background ignores interrupts, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("SECRET_KEY", "for tests only, and the same in every process of a run")
_engines = Borrowed(volatile=True)


def _remove() -> None:
    _engines.__exit__()
    # The keeper stops the engines as soon as nobody borrows them; their files go when they have.
    _engines.wait_until_stopped(30)
    shutil.rmtree(_folder, ignore_errors=True)


_owner = os.getpid()


@atexit.register
def _remove_at_exit() -> None:
    # A forked child that exits in the middle of a test must not take the database away.
    if os.getpid() == _owner:
        _remove()


def _needs_engines(item: pytest.Item) -> bool:
    return (
        not any(item.path.is_relative_to(folder) for folder in _PURE)
        or item.get_closest_marker("django_db") is not None
        or not _DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files of slow tests first, so that at the end no process waits long for another's last file."""
    slow: dict[Path, list[bool]] = {}
    for item in items:
        slow.setdefault(item.path, []).append(item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: (not all(slow[item.path]), not any(slow[item.path])))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    # What was imported and collected stays: looking through all of it again and again is a tenth of a run.
    gc.collect()
    gc.freeze()
    # Migrations and Keras make very many objects that stay for a while.
    gc.set_threshold(50_000, 20, 20)
    if session.config.option.collectonly or not any(_needs_engines(item) for item in session.items):
        return
    started = time.monotonic()
    try:
        _engines.__enter__()
    except (EngineError, paths.VarError) as error:
        pytest.exit(str(error), returncode=3)
    session.config.stash[_STARTED] = time.monotonic() - started


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    # What is there ends with the process: a last search for garbage in it takes some seconds.
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Keep the root logger as it was: a worker that Celery starts in a test would leave it at ERROR."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        return (yield)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Let passwords be hashed at once: the real hash takes half a second of processor time, on purpose."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    _empty_tables_fast()


def _empty_tables_fast() -> None:
    """Let a test without a transaction of its own end with deletions: a truncation makes 300 files anew.

    All rows go in one transaction, at whose end foreign keys are checked, so that the order does not matter.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations

    def sql_flush(
        self: DatabaseOperations,
        style: object,
        tables: Sequence[str],
        *,
        reset_sequences: bool = False,
        allow_cascade: bool = False,
    ) -> list[str]:
        if reset_sequences:
            return truncate(self, style, tables, reset_sequences=True, allow_cascade=allow_cascade)
        deletions = [f"DELETE FROM {self.quote_name(table)}" for table in tables]  # noqa: S608  # our own names
        return ["; ".join(deletions)] if tables else []

    truncate: Callable[..., list[str]] = DatabaseOperations.sql_flush
    DatabaseOperations.sql_flush = sql_flush  # type: ignore[assignment,method-assign]


_STARTED: pytest.StashKey[float] = pytest.StashKey()


def pytest_report_collectionfinish(config: pytest.Config) -> str | None:
    took = config.stash.get(_STARTED, None)
    return None if took is None else f"private PostgreSQL and Redis under {_folder} ({took:.1f} s)"


@pytest.fixture(autouse=True)
def _no_language_of_an_earlier_test() -> None:
    """Forget the language that a request of an earlier test has left in this thread."""
    from django.utils import translation

    translation.deactivate()
