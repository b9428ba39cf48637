"""``GET /healthz``: whether every engine answers, and if not, which one does not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from secrets import token_hex

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from genreweb import heartbeat
from genreweb.free_space import has_room
from genreweb.version import VERSION

PROBE_SECONDS = 2.0
logger = logging.getLogger(__name__)


class Probe:
    """A check of one engine, run at most once at a time and not more often than every few seconds.

    An engine that hangs blocks one thread and no request.
    """

    def __init__(self, name: str, ask: Callable[[], object], *, good_for: float) -> None:
        self.name = name
        self._ask = ask
        self._good_for = good_for
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._answer: Future[object] | None = None
        self._asked = 0.0

    def begin(self) -> Future[object]:
        """Return the pending result, or the last one if it is recent."""
        with self._lock:
            last = self._answer
            if last is not None and (not last.done() or (self._is_fresh() and last.exception() is None)):
                return last
            if self._pool is None:
                # Made on first use: a thread does not outlive the fork of a web worker.
                self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"probe-{self.name}")
            self._asked = time.monotonic()
            self._answer = self._pool.submit(self._ask)
            return self._answer

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._asked < self._good_for

    def forget(self) -> None:
        """Discard the last result."""
        with self._lock:
            self._asked = float("-inf")


def _database() -> None:
    # A connection of its own: this thread lives as long as the process, and the server may be restarted.
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _broker() -> None:
    with heartbeat.connect(timeout=PROBE_SECONDS) as client:
        client.ping()


def _storage() -> None:
    name = default_storage.save(f"healthz/{token_hex(8)}", ContentFile(b"ok"))
    try:
        with default_storage.open(name) as file:
            if file.read() != b"ok":
                raise OSError("read back something else than was written")
    finally:
        default_storage.delete(name)


def _room() -> None:
    if not has_room():
        raise OSError("no room is left but the reserve, so uploads are refused")


def _worker() -> None:
    with heartbeat.connect(timeout=PROBE_SECONDS) as client:
        if not heartbeat.live_workers(client, queue="analysis"):
            raise LookupError("no analysis worker sent a heartbeat lately")


PROBES = (
    # What changes from one moment to the next is asked each time: an answer of before would not be true.
    Probe("database", _database, good_for=0),
    Probe("broker", _broker, good_for=0),
    Probe("storage", _storage, good_for=10),
    Probe("room", _room, good_for=0),
    Probe("worker", _worker, good_for=1),
)


class ConcernError(Exception):
    """Something a person should look at although the site works."""


_concerns: list[Probe] = []
_details: list[Probe] = []


def register_concern(name: str, ask: Callable[[], None]) -> None:
    """Have `ask` asked whenever health is; it raises `ConcernError` where there is something to say."""

    _concerns.append(Probe(name, _on_own_connection(ask), good_for=1))


def register_detail(name: str, ask: Callable[[], str]) -> None:
    """Have what `ask` gives shown under `name` while every engine answers."""
    _details.append(Probe(name, _on_own_connection(ask), good_for=1))


def _on_own_connection(ask: Callable[[], object]) -> Callable[[], object]:
    def asked() -> object:
        try:
            return ask()
        finally:
            # As for the database itself.
            connection.close()

    return asked


def concerns() -> dict[str, str]:
    """Give what is wrong although every engine answers, by the part that says so."""
    answers = {probe.name: probe.begin() for probe in _concerns}
    wait(answers.values(), timeout=PROBE_SECONDS)
    found = {}
    for name, answer in answers.items():
        error = answer.exception() if answer.done() else None
        if isinstance(error, ConcernError):
            found[name] = str(error)
        elif error is not None:
            logger.warning("%s: %s", name, error)
    return found


def details() -> dict[str, object]:
    """Give what registered parts say of themselves; one with nothing to say in time is left out."""
    answers = {probe.name: probe.begin() for probe in _details}
    wait(answers.values(), timeout=PROBE_SECONDS)
    well = {name: said for name, said in answers.items() if said.done() and said.exception() is None}
    return {name: said.result() for name, said in well.items() if said.result()}


def examine() -> dict[str, bool]:
    """Ask every engine at once and say which of them answered in time."""
    answers = {probe.name: probe.begin() for probe in PROBES}
    wait(answers.values(), timeout=PROBE_SECONDS)
    for name, answer in answers.items():
        if not answer.done():
            logger.warning("%s: no answer within %g s", name, PROBE_SECONDS)
        elif (error := answer.exception()) is not None:
            logger.warning("%s: %s", name, error)
    return {name: answer.done() and answer.exception() is None for name, answer in answers.items()}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if every engine answers, else 503; either way which ones do, and what to look at.

    ``version`` is the application's; ``classifier`` is the name of the version in service.
    """
    checks = {name: "ok" if answered else "unavailable" for name, answered in examine().items()}
    well = all(state == "ok" for state in checks.values())
    said: dict[str, object] = {
        "status": "ok" if well else "unavailable",
        "version": VERSION,
        "checks": checks,
    }
    if well:
        said.update(details())
        if found := concerns():
            said["concerns"] = found
    return JsonResponse(said, status=200 if well else 503)
