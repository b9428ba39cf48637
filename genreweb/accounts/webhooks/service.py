"""What people do with their webhooks, and the one function by which the apps tell that something happened."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from genreweb.accounts.models import CURATORS, User
from genreweb.accounts.webhook_models import TEST_EVENT, Webhook, WebhookDelivery, WebhookEvent
from genreweb.accounts.webhooks import delivery
from genreweb.accounts.webhooks.addresses import parse
from genreweb.accounts.webhooks.errors import WebhookError
from genreweb.accounts.webhooks.sending import SECRET_PREFIX
from genreweb.encryption import encrypt

MOST_WEBHOOKS = 10


def create(*, user: User, address: str, events: Iterable[str]) -> tuple[Webhook, str]:
    """Make a webhook; give its row, and the secret, which is shown only now.

    Raises
    ------
    WebhookError
        For an address that the site does not send to, or more than `MOST_WEBHOOKS`.
    """
    parse(address)
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    with transaction.atomic():
        # Held while they are counted: a double click must not make one too many.
        User.objects.select_for_update().get(pk=user.pk)
        if user.webhooks.count() >= MOST_WEBHOOKS:
            raise WebhookError("too_many_webhooks", {"most": MOST_WEBHOOKS})
        webhook = Webhook.objects.create(
            user=user, address=address, events=_in_order(events), secret=encrypt(secret)
        )
    return webhook, secret


def change(
    *,
    webhook: Webhook,
    address: str | None = None,
    events: Iterable[str] | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given; turned on again, it begins without failures.

    Raises
    ------
    WebhookError
        For an address that the site does not send to.
    """
    if address is not None:
        parse(address)
        webhook.address = address
    if events is not None:
        webhook.events = _in_order(events)
    if active is not None:
        webhook.active = active
        if active:
            webhook.stopped_at, webhook.failing_since, webhook.failures = None, None, 0
    webhook.save(update_fields=["address", "events", "active", "stopped_at", "failing_since", "failures"])
    return webhook


def _in_order(events: Iterable[str]) -> list[str]:
    chosen = set(events)
    return [event for event in WebhookEvent.values if event in chosen]


def send_test(*, webhook: Webhook) -> WebhookDelivery:
    """Send a message that says nothing."""
    return _add([webhook.pk], TEST_EVENT, {"webhook": webhook.pk})[0]


def emit(*, event: str, user_id: int | None, data: dict[str, Any]) -> None:
    """Tell the webhooks of a person, inside the transaction in which the event becomes true.

    The rows are committed with it or not at all; workers hear of them after the commit.
    """
    if user_id is not None:
        _tell(Webhook.objects.filter(user_id=user_id), event, data)


def emit_to_curators(*, event: str, data: dict[str, Any]) -> None:
    """Tell the webhooks of all curators, as `emit` does."""
    curators = User.objects.filter(Q(is_staff=True) | Q(groups__name=CURATORS))
    _tell(Webhook.objects.filter(user__in=curators.values("pk")), event, data)


def _tell(hooks: QuerySet[Webhook], event: str, data: dict[str, Any]) -> None:
    wanted = hooks.filter(active=True, events__contains=[event])
    if ids := list(wanted.values_list("pk", flat=True)):
        _add(ids, event, data)


def _add(webhook_ids: list[UUID], event: str, data: dict[str, Any]) -> list[WebhookDelivery]:
    body = json.dumps(
        {"type": event, "timestamp": timezone.now(), "data": data}, cls=DjangoJSONEncoder, ensure_ascii=False
    )
    rows = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(webhook_id=webhook_id, event=event, body=body) for webhook_id in webhook_ids
    )
    delivery.send_on_commit([row.pk for row in rows])
    return rows


def absolute(path: str) -> str:
    """Give the address of a path of this site, as far as the site knows its own."""
    return f"{settings.SITE_URL}{path}"


def listed(user: User) -> list[dict[str, Any]]:
    """List a person's webhooks and what was sent, without secrets."""
    shown = ("id", "address", "events", "active", "created", "stopped_at")
    return [
        {
            **{name: getattr(hook, name) for name in shown},
            "deliveries": [{**row.as_dict(), "body": json.loads(row.body)} for row in hook.deliveries.all()],
        }
        for hook in user.webhooks.prefetch_related("deliveries")
    ]
