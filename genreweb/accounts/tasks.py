"""What the workers do for accounts."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore

from genreweb.accounts import idempotency, quotas
from genreweb.accounts.webhooks import delivery


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


@shared_task
def deliver_webhook(delivery_id: str) -> None:
    """Send one message to one webhook."""
    delivery.deliver(delivery_id=UUID(delivery_id))


@shared_task
def sweep_webhooks() -> None:
    """Send again what is due and was dropped."""
    delivery.sweep()


@shared_task
def forget_old_deliveries() -> None:
    """Remove what was sent to webhooks a month ago."""
    delivery.forget_old()
