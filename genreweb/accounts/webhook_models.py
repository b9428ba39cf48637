"""Webhooks of people, and what was sent to them."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ADDRESS_LENGTH = 1000


class WebhookEvent(models.TextChoices):
    """What can be told."""

    TRACK_ANALYSED = "track.analysed", _("A track of yours is analysed")
    TRACK_FAILED = "track.failed", _("A track of yours could not be analysed")
    BATCH_FINISHED = "batch.finished", _("All files of an upload are done")
    CLIP_DECIDED = "clip.decided", _("A curator decided about a clip of yours")
    RUN_FINISHED = "run.finished", _("A training run ended (told to curators)")


TEST_EVENT = "test"


class Webhook(models.Model):
    """An address of a person that is told of events."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="webhooks", verbose_name=_("person")
    )
    address = models.CharField(_("address"), max_length=ADDRESS_LENGTH)
    # Encrypted: what is sent is signed with it, so a hash would not do.
    secret = models.TextField(_("secret"))
    events = ArrayField(
        models.CharField(max_length=30, choices=WebhookEvent.choices), verbose_name=_("events")
    )
    active = models.BooleanField(_("on"), default=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # Since the last delivery that arrived.
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("turned off by the site"), null=True, blank=True)

    class Meta:
        ordering = ["created", "id"]
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            models.CheckConstraint(
                condition=Q(events__len__gt=0, events__contained_by=WebhookEvent.values),
                name="webhook_has_known_events",
            ),
            models.CheckConstraint(
                condition=Q(active=False) | Q(stopped_at=None), name="webhook_on_or_stopped"
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def event_names(self) -> list[str]:
        return [str(event.label) for event in WebhookEvent if event.value in self.events]


class WebhookDelivery(models.Model):
    """One message to one webhook. While `next_try` is set it is tried again at that time."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook, models.CASCADE, related_name="deliveries", db_index=False, verbose_name=_("webhook")
    )
    event = models.CharField(_("event"), max_length=30)
    body = models.TextField(_("body"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try = models.DateTimeField(_("next attempt"), null=True, default=timezone.now)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    # Of the last attempt.
    answer = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"), null=True, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.CheckConstraint(
                condition=Q(status="waiting", next_try__isnull=False)
                | Q(status__in=["delivered", "failed"], next_try=None),
                name="waiting_delivery_has_a_next_try",
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "-created"], name="delivery_by_webhook"),
            models.Index(fields=["next_try"], condition=Q(status="waiting"), name="delivery_waiting"),
            models.Index(fields=["created"], name="delivery_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    def as_dict(self) -> dict[str, Any]:
        shown = ("id", "event", "status", "attempts", "next_try", "answer", "error_code")
        return {name: getattr(self, name) for name in (*shown, "milliseconds", "created", "finished_at")}
