"""Training runs: request, cancel, start on schedule. At most one is active."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.fitting.architectures import FITTERS
from genreweb.accounts.models import User
from library.services import queue
from library.services.queue import put
from training.errors import TrainingError
from training.models import RunMessage, TrainingRun
from training.services import events, preflight
from training.services.queue import Task

log = logging.getLogger(__name__)

QUEUE = "training"
MOST_EPOCHS = 500
MOST_SEED = 2**31 - 1

Kind, Status = TrainingRun.Kind, TrainingRun.Status


def request_run(
    *,
    by: User | None,
    kind: str,
    architecture: str = "",
    epochs: int | None = None,
    seed: int = 0,
) -> tuple[TrainingRun, bool]:
    """Queue a run, or return the one that waits or runs already.

    Parameters
    ----------
    by
        None for a scheduled run.
    architecture
        One of `preflight.architectures`; empty for the default. A quick run keeps that of the version in
        service.
    epochs
        None for the architecture's own number.

    Returns
    -------
    The run, and whether it was made by this call.

    Raises
    ------
    TrainingError
        If a parameter is out of bounds (``run_kind``, ``run_architecture``, ``run_epochs``, ``run_seed``), or
        there are too few clips.
    """
    if active := TrainingRun.objects.active():
        return active, False
    architecture, epochs = _checked(kind, architecture, epochs, seed)
    report = preflight.collect(architecture=architecture, epochs=epochs).of(kind)
    if report.problems:
        raise report.problems[0]
    run = TrainingRun(kind=kind, architecture=architecture, epochs=epochs, seed=seed, requested_by=by)
    run.eta_seconds = report.seconds
    try:
        with transaction.atomic():
            run.save(force_insert=True)
            transaction.on_commit(lambda: send(run.pk), robust=True)
    except IntegrityError:
        # Another request was first: the constraint decides, not the query above.
        active = TrainingRun.objects.active()
        if active is None:
            raise
        return active, False
    return run, True


def _checked(kind: str, architecture: str, epochs: int | None, seed: int) -> tuple[str, int]:
    if kind not in Kind.values:
        raise TrainingError("run_kind")
    if not 0 <= seed <= MOST_SEED:
        raise TrainingError("run_seed", {"most": MOST_SEED})
    if kind == Kind.QUICK:
        of_base = preflight.base_architecture()
        if architecture not in {"", of_base}:
            raise TrainingError("run_quick_architecture")
        return of_base, 0
    architecture = architecture or preflight.DEFAULT_ARCHITECTURE
    if architecture not in FITTERS:
        raise TrainingError("run_architecture")
    usual = FITTERS[architecture].epochs
    if usual is None:
        return architecture, 0
    if epochs is None:
        return architecture, usual
    if not 1 <= epochs <= MOST_EPOCHS:
        raise TrainingError("run_epochs", {"most": MOST_EPOCHS})
    return architecture, epochs


def cancel_run(*, run: TrainingRun) -> bool:
    """Cancel a run; False if it has ended already.

    A waiting run ends at once, a running one when its worker next checks, within about a second.
    """
    now = timezone.now()
    rows = TrainingRun.objects.filter(pk=run.pk)
    with transaction.atomic():
        waited = rows.filter(status=Status.QUEUED).update(
            status=Status.CANCELLED, cancel_requested=True, eta_seconds=None, finished_at=now
        )
        asked = waited or rows.filter(status=Status.RUNNING).update(cancel_requested=True)
        if waited:
            RunMessage.objects.create(run=run, code="cancelled")
            events.run_finished(run.pk)
    if asked:
        run.refresh_from_db()
    return bool(asked)


def start_scheduled_run() -> TrainingRun | None:
    """Start a quick run if there are enough new clips; None if not, or if a run is active."""
    try:
        report = preflight.collect().of(Kind.QUICK)
        if report.new_clips < settings.TRAINING_SCHEDULE_CLIPS:
            return None
        run, made = request_run(by=None, kind=Kind.QUICK)
    except TrainingError as error:
        log.info("no scheduled run: %s", error.message)
        return None
    return run if made else None


def send(run_id: UUID) -> bool:
    """Put a run on the queue; False if the broker is unreachable: the sweeper then sends it later."""
    return put(Task.TRAIN, str(run_id), QUEUE)


def messages_waiting() -> int | None:
    """Count the messages that wait for a training worker, or None if the broker is unreachable."""
    return queue.waiting(QUEUE)


def has_worker() -> bool:
    """Tell whether a training worker is alive; False also if the broker is unreachable."""
    return queue.has_worker(QUEUE)
