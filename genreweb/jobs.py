"""Jobs that are rows of a table: claimed by one worker, finished, tried again, or taken from a dead worker.

The row decides; a message of the broker only says which row to look at. A claim is good for one attempt, and
every write of its holder is conditional on that attempt. So a message that is delivered twice, or a worker
that wakes up after its row was given to another one, changes nothing. Times are those of the database: the
clocks of twenty machines differ.

A model of jobs has the fields ``attempt`` (claims so far, never reset), ``tries`` (claims since somebody
asked), ``queued_at``, ``heartbeat_at``, ``error_code`` and ``error_params``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Model, QuerySet
from django.db.models.functions import Now

from genreweb import counters
from genreweb.domain_errors import DomainError

log = logging.getLogger(__name__)

RowT = TypeVar("RowT", bound=Model)
ClaimT = TypeVar("ClaimT", bound="Claim[Any]")
Fields = Mapping[str, Any]


class JobError(Exception):
    """What ends an attempt without a fault of the work itself."""


class ClaimLostError(JobError):
    """The row was deleted, or is in other hands: what was worked out is thrown away."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, as a code and what its sentence is formatted with."""

    code: str
    params: Fields = field(default_factory=dict)
    may_pass: bool = False
    """Whether another attempt may succeed."""


class Event(StrEnum):
    """What can become of a claimed row besides being done."""

    FAILED = "failed"
    RETRIED = "retried"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Claim(Generic[RowT]):
    """A worker's right to finish a row, good for one attempt."""

    jobs: JobTable[Any]
    row: RowT
    attempt: int

    def rows(self) -> QuerySet[Any]:
        """Give the row if this claim still stands, else nothing."""
        return self.jobs.rows().filter(pk=self.row.pk, attempt=self.attempt, **self.jobs.running)

    def update(self, **fields: object) -> bool:
        """Change the row if this claim still stands."""
        return bool(self.rows().update(**fields))

    def must_update(self, **fields: object) -> None:
        """Change the row.

        Raises
        ------
        ClaimLostError
        """
        if not self.update(**fields):
            raise ClaimLostError(str(self.row.pk))

    def progress(self, **fields: object) -> None:
        """Change the row, and show that the worker lives.

        Raises
        ------
        ClaimLostError
        """
        self.must_update(heartbeat_at=Now(), **fields)

    def lock(self) -> None:
        """Lock the row until the end of the transaction.

        Raises
        ------
        ClaimLostError
        """
        if not self.rows().select_for_update(of=("self",)).exists():
            raise ClaimLostError(str(self.row.pk))

    @contextlib.contextmanager
    def row_heartbeat(self) -> Iterator[None]:
        """Set ``heartbeat_at`` every few seconds, in a thread, while the block runs and the claim stands."""
        done = threading.Event()

        def beat() -> None:
            try:
                while not done.wait(settings.ANALYSIS_HEARTBEAT_SECONDS):
                    try:
                        if not self.update(heartbeat_at=Now()):
                            return
                    except OperationalError:
                        # The database restarts: the next beat opens a new connection.
                        connection.close()
            finally:
                connection.close()

        thread = threading.Thread(target=beat, name=f"heartbeat-{self.row.pk}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class JobTable(Generic[ClaimT]):
    """The life of the rows of one model. A subclass says what a row looks like in each state, and sends it.

    Attributes
    ----------
    waiting, running, failed
        Fields of a row that waits for a worker, is claimed by one, and has failed for good.
    claimed, released
        Further fields to set when a row is claimed, and when it is queued again or fails.
    related
        What to fetch along with a claimed row.
    sent
        The fields that `send` reads.
    most_messages
        While as many messages wait, the sweep sends none: a long import is not sent over and over.
    fault_code, lost_code
        Why a row failed whose last attempt ended in an unforeseen fault, or with its worker.
    """

    model: ClassVar[type[Model]]
    claim_class: ClassVar[type[Claim[Any]]] = Claim
    waiting: ClassVar[Fields] = {"status": "queued"}
    running: ClassVar[Fields] = {"status": "running"}
    failed: ClassVar[Fields] = {"status": "failed", "finished_at": Now()}
    claimed: ClassVar[Fields] = {"error_code": "", "error_params": {}}
    released: ClassVar[Fields] = {}
    related: ClassVar[tuple[str, ...]] = ()
    sent: ClassVar[tuple[str, ...]] = ("pk",)
    most_messages: ClassVar[int] = 50
    fault_code: ClassVar[str] = "internal"
    lost_code: ClassVar[str] = "worker_lost"

    # --- what a table says of itself --------------------------------------------------------------------
    @property
    def attempts(self) -> int:
        """How often a row is tried."""
        return int(settings.ANALYSIS_ATTEMPTS)

    def send(self, row: Any) -> bool:
        """Tell the workers that a row waits; False where the broker is away."""
        raise NotImplementedError

    def messages_waiting(self) -> int | None:
        """Count the messages that no worker has taken, or None where the broker is away."""
        raise NotImplementedError

    def failure_of(self, error: Exception) -> Failure:
        """Say what an error means for the row: tried again, or failed for good, and why."""
        if isinstance(error, DomainError):
            return Failure(error.code, error.params)
        return Failure(self.fault_code, may_pass=True)

    def note(self, pk: Any, event: Event) -> None:
        """Write down what became of a row, in the transaction that changes it."""

    # --- a worker ---------------------------------------------------------------------------------------
    def rows(self) -> QuerySet[Any]:
        return self.model._default_manager.all()

    def claim(self, pk: Any) -> ClaimT | None:
        """Take a row that waits; of several workers that try at once, one gets it."""
        rows = self.rows().filter(pk=pk)
        started = {"attempt": F("attempt") + 1, "tries": F("tries") + 1, "heartbeat_at": Now()}
        # In one transaction: the lock of the update keeps others away until the attempt is read.
        with transaction.atomic():
            if not rows.filter(**self.waiting).update(**{**self.running, **self.claimed, **started}):
                return None
            row = (rows.select_related(*self.related) if self.related else rows).get()
        return self.claim_class(self, row, row.attempt)  # type: ignore[return-value]  # a subclass says which

    def process(self, pk: Any, work: Callable[[ClaimT], None]) -> bool:
        """Claim a row and do its work; False where there was nothing to do or the claim was lost."""
        claim = self.claim(pk)
        if claim is None:
            return False
        began = time.monotonic()
        try:
            with claim.row_heartbeat():
                work(claim)
            counters.observe("genreweb_job_seconds", {(self._kind,): time.monotonic() - began})
        except ClaimLostError:
            log.info("%s: the claim was lost", self._name(pk))
            return False
        except Exception as error:
            failure = self.failure_of(error)
            if failure.may_pass:
                log.exception("%s: attempt %d failed", self._name(pk), claim.attempt)
                self.put_back(claim, failure)
            else:
                log.info("%s: failed (%s)", self._name(pk), failure.code)
                self.fail(claim, failure)
        return True

    def fail(self, claim: ClaimT, failure: Failure) -> bool:
        """End a row for good, and keep why; False where the claim was lost."""
        with transaction.atomic():
            failed = claim.update(**self._failed(failure.code, failure.params))
            if failed:
                self.note(claim.row.pk, Event.FAILED)
                self._count(Event.FAILED, failure.code)
        return failed

    def put_back(self, claim: ClaimT, failure: Failure) -> None:
        """Queue a row again after a fault that may pass; after its last attempt it fails."""
        with transaction.atomic():
            again = claim.rows().filter(tries__lt=self.attempts).update(**self._queued(Now()))
            if again:
                self.note(claim.row.pk, Event.RETRIED)
                self._count(Event.RETRIED, failure.code)
        if not again:
            self.fail(claim, failure)

    # --- the sweep --------------------------------------------------------------------------------------
    def sweep(self) -> int:
        """Pick up rows whose worker died and rows whose message was lost; give how many were sent.

        A message too many is harmless: a row is claimed once.
        """
        self._stamp_again()
        self._release_lost()
        messages = self.messages_waiting()
        if messages is None or messages >= self.most_messages:
            return 0
        sent = 0
        dropped = self.rows().filter(**self.waiting, queued_at__lte=_long_ago()).order_by("queued_at")
        for row in dropped.only(*self.sent)[: self.most_messages - messages]:
            if not self.send(row):
                break
            self.rows().filter(pk=row.pk, **self.waiting).update(queued_at=Now())
            sent += 1
        return sent

    def release(self, lost: QuerySet[Any]) -> Event | None:
        """End one row that lost its worker, or queue it again; None where the worker came back meanwhile."""
        if lost.filter(tries__lt=self.attempts).update(**self._queued(_long_ago())):
            return Event.WORKER_LOST
        return Event.FAILED if lost.update(**self._failed(self.lost_code, {})) else None

    def _stamp_again(self) -> None:
        """Set times that lie ahead to now: the clock was set back, and would reach them days later."""
        ahead = Now() + timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS)
        self.rows().filter(**self.running, heartbeat_at__gt=ahead).update(heartbeat_at=Now())
        self.rows().filter(**self.waiting, queued_at__gt=ahead).update(queued_at=Now())

    def _release_lost(self) -> None:
        silent = Now() - timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS)
        lost = self.rows().filter(**self.running, heartbeat_at__lt=silent)
        for pk in list(lost.values_list("pk", flat=True)):
            with transaction.atomic():
                event = self.release(lost.filter(pk=pk))
                if event is not None:
                    self.note(pk, event)
                    self._count(event, self.lost_code)
                    log.warning("%s had lost its worker: %s", self._name(pk), event)

    def _queued(self, at: Any) -> dict[str, Any]:
        return {**self.waiting, **self.released, "queued_at": at}

    def _failed(self, code: str, params: Fields) -> dict[str, Any]:
        return {**self.failed, **self.released, "error_code": code, "error_params": dict(params)}

    def _count(self, event: Event, code: str) -> None:
        """Count what became of a row once that is committed."""
        if event is not Event.CANCELLED:
            name = "genreweb_job_failures" if event is Event.FAILED else "genreweb_job_retries"
            transaction.on_commit(lambda: counters.increment(name, self._kind, code), robust=True)

    @property
    def _kind(self) -> str:
        return str(self.model._meta.model_name)

    def _name(self, pk: Any) -> str:
        return f"{self._kind} {pk}"


def _long_ago() -> Any:
    """Give, as an expression, the time after which a row that still waits is sent again."""
    return Now() - timedelta(seconds=settings.ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS)
