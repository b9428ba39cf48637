"""What the workers do for accounts."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore


@shared_task
def forget_ended_sessions() -> None:
    """Remove the rows of sessions that nobody can use any more."""
    SessionStore.clear_expired()
