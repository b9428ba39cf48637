"""Training runs as jobs: a worker's claim on a run, what the run tells people, and what its failures mean."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from classifier.core.artifact import ReleaseError
from genreweb.jobs import Claim, ClaimLostError, Event, Failure, JobError, JobTable
from training.models import RunMessage, TrainingEpoch, TrainingRun
from training.services import events, runs
from training.services.child import ChildLostError

Status = TrainingRun.Status
T = TypeVar("T")

_PATIENCE_SECONDS = 90.0
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class CancelledError(JobError):
    """Somebody asked for the end of the run."""


@dataclass(frozen=True)
class RunClaim(Claim[TrainingRun]):
    """A training worker's right to finish a run, and what the run tells people while it goes on."""

    @property
    def run(self) -> TrainingRun:
        return self.row

    def must_update(self, **fields: object) -> None:
        if not patiently(lambda: self.update(**fields)):
            raise ClaimLostError(str(self.run.pk))

    def progress(self, **fields: object) -> None:
        with transaction.atomic():
            super().progress(**fields)
            events.run_progress(self.run.pk, Status.RUNNING)

    def look(self) -> None:
        """See whether to go on.

        Raises
        ------
        ClaimLostError, CancelledError
        """
        cancelled = patiently(lambda: self.rows().values_list("cancel_requested", flat=True).first())
        if cancelled is None:
            raise ClaimLostError(str(self.run.pk))
        if cancelled:
            raise CancelledError

    def step(self, step: TrainingRun.Step, progress: float, *, seconds_left: float | None = None) -> None:
        """Show what is being done now."""
        self.progress(step=step, progress=progress, eta_seconds=seconds_left)

    def say(self, code: str, **params: Any) -> None:
        """Add a line to the log."""
        patiently(lambda: RunMessage.objects.create(run=self.run, code=code, params=params))

    def epoch(self, number: int, *, progress: float, seconds_left: float, figures: dict[str, Any]) -> None:
        """Write down an epoch; one that a former attempt wrote is written again, not twice."""

        def write() -> None:
            with transaction.atomic():
                self.progress(progress=progress, eta_seconds=seconds_left)
                _row, new = TrainingEpoch.objects.update_or_create(
                    run=self.run, number=number, defaults=figures
                )
                if new:
                    # It came further than before, so what stopped it was not the run itself.
                    self.update(tries=0)

        patiently(write)


class RunJobs(JobTable[RunClaim]):
    """Training runs, as jobs of the training worker."""

    model = TrainingRun
    claim_class = RunClaim
    claimed = {**JobTable.claimed, "started_at": Coalesce(F("started_at"), Now())}
    released = {"step": "", "eta_seconds": None}
    related = ("snapshot",)
    # Where a message waits already, nobody takes them: more of them would not help.
    most_messages = 1
    fault_code = "run_internal"
    lost_code = "run_lost"

    @property
    def attempts(self) -> int:
        return int(settings.TRAINING_ATTEMPTS)

    def send(self, row: TrainingRun) -> bool:
        return runs.send(row.pk)

    def messages_waiting(self) -> int | None:
        return runs.messages_waiting()

    def failure_of(self, error: Exception) -> Failure:
        if isinstance(error, ReleaseError):
            return Failure("run_base_damaged", {"detail": str(error)})
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            return Failure("run_disk_full", {"place": error.filename or str(settings.TRAINING_DIR)})
        if isinstance(error, ChildLostError):
            return Failure("run_lost", may_pass=True)
        return super().failure_of(error)

    def note(self, pk: UUID, event: Event) -> None:
        RunMessage.objects.create(run_id=pk, code=_LINES[event])
        if event in (Event.FAILED, Event.CANCELLED):
            events.run_finished(pk)

    def cancel(self, run: QuerySet[TrainingRun]) -> Event | None:
        """End a claimed run because somebody asked for it; None where it is in other hands."""
        ended = run.update(status=Status.CANCELLED, finished_at=Now(), **self.released)
        return Event.CANCELLED if ended else None

    def release(self, lost: QuerySet[TrainingRun]) -> Event | None:
        # First of all: a run that was to end must not be started again.
        return self.cancel(lost.filter(cancel_requested=True)) or super().release(lost)


_LINES = {
    Event.FAILED: "failed",
    Event.RETRIED: "try_again",
    Event.WORKER_LOST: "lost",
    Event.CANCELLED: "cancelled",
}

JOBS = RunJobs()
claim, sweep = JOBS.claim, JOBS.sweep


def patiently(ask: Callable[[], T]) -> T:
    """Ask the database again while it restarts; a run of hours does not end for that."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except OperationalError:
            if connection.in_atomic_block or time.monotonic() > end:
                raise
            connection.close()
            time.sleep(1)
