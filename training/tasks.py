"""Celery tasks of training; each calls a service."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from training.services import (
    checking,
    claims,
    duplicates,
    health,
    run_storage,
    runs,
    tagging,
    tidying,
    worker,
)

_YEARS = 10 * 365 * 24 * 3600


@shared_task
def check_clip(clip_id: str) -> None:
    checking.check_clip(clip_id=UUID(clip_id))


@shared_task
def sweep_clips() -> None:
    checking.sweep()
    duplicates.fill_in()
    tagging.fill_in()


@shared_task
def tidy_clips() -> None:
    tidying.tidy()


# A run has no time limit: its heartbeat is checked instead. Celery cannot remove its limit for one task.
@shared_task(soft_time_limit=_YEARS, time_limit=_YEARS)
def train(run_id: str) -> None:
    worker.train(run_id=UUID(run_id))


@shared_task
def sweep_runs() -> None:
    claims.sweep()


@shared_task
def tidy_runs() -> None:
    run_storage.tidy()


@shared_task
def start_scheduled_run() -> None:
    runs.start_scheduled_run()


@shared_task(soft_time_limit=3600, time_limit=3660)
def check_labels(check_id: int) -> None:
    health.check_labels(check_id=check_id)
