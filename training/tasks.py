"""What the workers run for training. Each task fetches nothing itself: it calls a service."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from training.services import checking


@shared_task
def check_clip(clip_id: str) -> None:
    checking.check_clip(clip_id=UUID(clip_id))


@shared_task
def sweep_clips() -> None:
    checking.sweep()
