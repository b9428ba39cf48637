"""What the workers do for accounts."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore

from genreweb.accounts import idempotency, quotas


@shared_task
def forget_ended_sessions() -> None:
    """Remove the rows of sessions that nobody can use any more."""
    SessionStore.clear_expired()


@shared_task
def forget_past_days() -> None:
    """Remove the counts of what people sent on days that are over."""
    quotas.forget_past_days()


@shared_task
def forget_old_answers() -> None:
    """Remove the answers that are kept for requests sent twice, a day after."""
    idempotency.forget_old_answers()
