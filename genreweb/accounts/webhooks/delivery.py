"""Deliveries: rows that workers claim, send and try again.

A row waits until its ``next_try``. A claim moves that on by `LEASE` and counts the attempt in one conditional
UPDATE, so that of several workers one sends, and a row whose worker died comes up again by itself. Messages
of the broker only hurry this along; `sweep` sends them again. A message may arrive twice: its id tells.
"""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from genreweb.accounts.webhook_models import Webhook, WebhookDelivery
from genreweb.accounts.webhooks import sending
from genreweb.encryption import DecryptionError, decrypt

log = logging.getLogger(__name__)
Status = WebhookDelivery.Status

DELAYS = tuple(timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 21600, 43200))
"""Between attempts: eight of them in most of a day."""
LEASE = timedelta(seconds=60)
KEPT = timedelta(days=30)
STOPPED_AFTER_FAILURES, STOPPED_AFTER = 20, timedelta(days=1)
TASK = "genreweb.accounts.tasks.deliver_webhook"
_QUEUE = "bulk"
_MOST_AT_ONCE = 100


def send_on_commit(delivery_ids: list[UUID]) -> None:
    """Tell the workers of deliveries once their rows are committed."""
    transaction.on_commit(lambda: _send(delivery_ids), robust=True)


def _send(delivery_ids: list[UUID]) -> None:
    try:
        for delivery_id in delivery_ids:
            # Messages that nobody took in time do not pile up behind a long import.
            current_app.send_task(TASK, [str(delivery_id)], queue=_QUEUE, expires=2 * LEASE.total_seconds())
    except (OperationalError, RedisError, OSError):
        log.warning("the broker is away: webhooks wait for the sweep")


def sweep() -> int:
    """Send messages for rows that are due and have not been sent lately; give their number."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(status=Status.WAITING, next_try__lte=now, queued_at__lte=now - LEASE)
    ids = list(due.order_by("next_try").values_list("pk", flat=True)[:_MOST_AT_ONCE])
    WebhookDelivery.objects.filter(pk__in=ids).update(queued_at=now)
    _send(ids)
    return len(ids)


def deliver(*, delivery_id: UUID) -> bool:
    """Send one delivery that is due; False where there was nothing to do."""
    row = _claim(delivery_id)
    if row is None:
        return False
    try:
        secret = decrypt(row.webhook.secret)
    except DecryptionError:
        log.exception("a webhook was made under another SECRET_KEY")
        _finish(row, Status.FAILED, error_code="internal")
        return True
    answer = sending.post(
        address=row.webhook.address, message_id=str(row.pk), secret=secret, body=row.body.encode()
    )
    with transaction.atomic():
        _note(row, answer)
    return True


def _claim(delivery_id: UUID) -> WebhookDelivery | None:
    now = timezone.now()
    due = WebhookDelivery.objects.filter(pk=delivery_id, status=Status.WAITING, next_try__lte=now)
    with transaction.atomic():
        if not due.update(attempts=F("attempts") + 1, next_try=now + LEASE):
            return None
        row = WebhookDelivery.objects.select_related("webhook__user").get(pk=delivery_id)
    if not row.webhook.active or not row.webhook.user.is_active:
        _finish(row, Status.FAILED, error_code="turned_off")
        return None
    return row


def _finish(row: WebhookDelivery, status: str, **fields: Any) -> bool:
    """End a claimed delivery, if the claim still stands."""
    return _write(row, status=status, next_try=None, finished_at=timezone.now(), **fields)


def _write(row: WebhookDelivery, **fields: Any) -> bool:
    mine = WebhookDelivery.objects.filter(pk=row.pk, attempts=row.attempts, status=Status.WAITING)
    return bool(mine.update(**fields))


def _note(row: WebhookDelivery, answer: sending.Answer) -> None:
    """Write down what came of an attempt, in its row and in that of the webhook."""
    said = {"answer": answer.status, "error_code": answer.error_code, "milliseconds": answer.milliseconds}
    hook = Webhook.objects.filter(pk=row.webhook_id)
    if answer.arrived:
        if _finish(row, Status.DELIVERED, **said):
            hook.exclude(failures=0).update(failures=0, failing_since=None)
        return
    if row.attempts > len(DELAYS) or answer.error_code == "gone":
        noted = _finish(row, Status.FAILED, **said)
    else:
        noted = _write(row, next_try=timezone.now() + _spread(DELAYS[row.attempts - 1]), **said)
    if not noted:
        return
    now = timezone.now()
    hook.filter(failing_since=None).update(failing_since=now)
    hook.update(failures=F("failures") + 1)
    gone = (
        Q()
        if answer.error_code == "gone"
        else Q(failures__gte=STOPPED_AFTER_FAILURES, failing_since__lte=now - STOPPED_AFTER)
    )
    if hook.filter(gone, active=True).update(active=False, stopped_at=now):
        log.warning("webhook %s was turned off after failures", row.webhook_id)
    # One receiver that does not answer must not keep the workers waiting once for each of its messages.
    others = WebhookDelivery.objects.filter(webhook_id=row.webhook_id, status=Status.WAITING)
    others.filter(next_try__lt=now + DELAYS[0]).update(next_try=now + DELAYS[0])


def _spread(delay: timedelta) -> timedelta:
    """Vary a delay by a tenth, so that what failed together does not come back together."""
    return delay * random.uniform(0.9, 1.1)  # noqa: S311  # no secret


def forget_old() -> int:
    """Delete deliveries of more than `KEPT` ago; give their number."""
    old = WebhookDelivery.objects.filter(created__lt=timezone.now() - KEPT)
    return old.delete()[0]
