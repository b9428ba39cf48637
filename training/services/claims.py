"""A training worker's right to a run, and what a run tells people while it goes on.

The row decides. Whoever holds a claim writes only while its attempt still stands, so a message that the
broker delivers twice, or a worker that wakes up after it was given up, changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from training.models import RunMessage, TrainingEpoch, TrainingRun
from training.services import runs

log = logging.getLogger(__name__)

Status = TrainingRun.Status
T = TypeVar("T")

_PATIENCE_SECONDS = 90.0


class OvertakenError(Exception):
    """The run is no longer ours: it was deleted, or given to another worker."""


class CancelledError(Exception):
    """Somebody asked for the end of the run."""


@dataclass(slots=True)
class Claim:
    """A worker's right to finish a run, good for one attempt."""

    run: TrainingRun
    attempt: int

    def update(self, **fields: object) -> bool:
        """Change the run if this claim still stands."""
        return bool(self._standing().update(**fields))

    def must_update(self, **fields: object) -> None:
        """Change the run.

        Raises
        ------
        OvertakenError
            The claim no longer stands.
        """
        if not patiently(lambda: self.update(**fields)):
            raise OvertakenError(str(self.run.pk))

    def look(self) -> None:
        """See whether to go on.

        Raises
        ------
        OvertakenError, CancelledError
        """
        cancelled = patiently(lambda: self._standing().values_list("cancel_requested", flat=True).first())
        if cancelled is None:
            raise OvertakenError(str(self.run.pk))
        if cancelled:
            raise CancelledError

    def step(self, step: TrainingRun.Step, progress: float, *, seconds_left: float | None = None) -> None:
        """Show what is being done now."""
        self.must_update(step=step, progress=progress, eta_seconds=seconds_left, heartbeat_at=timezone.now())

    def say(self, code: str, **params: Any) -> None:
        """Add a line to the log."""
        patiently(lambda: RunMessage.objects.create(run=self.run, code=code, params=params))

    def epoch(self, number: int, *, progress: float, seconds_left: float, figures: dict[str, Any]) -> None:
        """Write down an epoch; one that a former attempt wrote is written again, not twice."""

        def write() -> bool:
            with transaction.atomic():
                if not self.update(progress=progress, eta_seconds=seconds_left, heartbeat_at=timezone.now()):
                    return False
                _row, new = TrainingEpoch.objects.update_or_create(
                    run=self.run, number=number, defaults=figures
                )
                if new:
                    # It came further than before, so what stopped it was not the run itself.
                    self.update(tries=0)
                return True

        if not patiently(write):
            raise OvertakenError(str(self.run.pk))

    def _standing(self) -> Any:
        return TrainingRun.objects.filter(pk=self.run.pk, attempt=self.attempt, status=Status.RUNNING)


def claim(run_id: UUID) -> Claim | None:
    """Take a queued run; of several workers that try at once, one gets it."""
    now = timezone.now()
    claimed = TrainingRun.objects.filter(pk=run_id, status=Status.QUEUED).update(
        status=Status.RUNNING,
        attempt=F("attempt") + 1,
        tries=F("tries") + 1,
        heartbeat_at=now,
        started_at=Coalesce(F("started_at"), now),
        error_code="",
        error_params={},
    )
    if not claimed:
        return None
    run = TrainingRun.objects.select_related("snapshot").filter(pk=run_id).first()
    return Claim(run, run.attempt) if run else None


def sweep() -> None:
    """Pick up what was dropped: the run whose worker died, and the run whose message was lost."""
    now = timezone.now()
    lost = TrainingRun.objects.filter(
        status=Status.RUNNING,
        heartbeat_at__lt=now - timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS),
    )
    long_ago = now - timedelta(seconds=settings.ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS)
    over: dict[str, Any] = {"step": "", "eta_seconds": None, "finished_at": now}
    # In this order: a run that was to end must not be started again.
    _end_lost(lost.filter(cancel_requested=True), "cancelled", status=Status.CANCELLED, **over)
    _end_lost(
        lost.filter(tries__gte=settings.TRAINING_ATTEMPTS),
        "failed",
        status=Status.FAILED,
        error_code="run_lost",
        error_params={},
        **over,
    )
    _end_lost(lost, "lost", status=Status.QUEUED, step="", eta_seconds=None, queued_at=long_ago)
    waiting = TrainingRun.objects.filter(status=Status.QUEUED, queued_at__lte=long_ago).first()
    # Where a message waits already, nobody takes them: more of them would not help.
    if waiting is not None and runs.messages_waiting() == 0 and runs.send(waiting.pk):
        TrainingRun.objects.filter(pk=waiting.pk, status=Status.QUEUED).update(queued_at=now)


def _end_lost(lost: Any, line: str, **fields: Any) -> None:
    for pk in list(lost.values_list("pk", flat=True)):
        with transaction.atomic():
            if lost.filter(pk=pk).update(**fields):
                RunMessage.objects.create(run_id=pk, code=line)
                log.warning("run %s had lost its worker: %s", pk, line)


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
