"""The log of versions put into service, and receipts for contributors."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from classifier.models import ModelVersion
from genreweb.long_columns import JoiningQuerySet

FIRST_REASON = gettext_noop("No version was in service.")
NEWER_REASON = gettext_noop("It came with a newer Genreweb and takes the place of an older release.")
LOST_REASON = gettext_noop("The files of the version in service are lost.")
PROGRAM_REASONS = frozenset({FIRST_REASON, NEWER_REASON, LOST_REASON})
"""Why the program changes the version in service by itself; shown in the reader's language."""


class Promotion(models.Model):
    """A change of the version in service. Rows are never changed."""

    class Action(models.TextChoices):
        PROMOTE = "promote", _("put into service")
        ROLLBACK = "rollback", _("rolled back")

    action = models.CharField(_("action"), max_length=8, choices=Action.choices)
    version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="promotions", verbose_name=_("version")
    )
    former = models.ForeignKey(
        ModelVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("version before"),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("curator"),
    )
    at = models.DateTimeField(_("at"), auto_now_add=True)
    reason = models.CharField(_("reason"), max_length=500)
    # The result of the gate.
    gate = models.JSONField(_("gate"), default=dict, blank=True)
    overridden = models.BooleanField(_("gate overridden"), default=False)

    objects = JoiningQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")

    def __str__(self) -> str:
        return f"{self.version} ({self.at:%Y-%m-%d})"

    @property
    def is_by_program(self) -> bool:
        return self.by_id is None and self.reason in PROGRAM_REASONS

    @property
    def display_reason(self) -> str:
        """Why, in the reader's language where the program gave the reason."""
        return gettext(self.reason) if self.is_by_program else self.reason


class Receipt(models.Model):
    """Tells a contributor which of their clips a promoted version was trained on, and what it gained."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="receipts", verbose_name=_("contributor")
    )
    version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="receipts", verbose_name=_("version")
    )
    clips = models.PositiveIntegerField(_("clips"))
    # By label: clips given, recall before and after.
    genres = models.JSONField(_("genres"), default=dict)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)

    objects = JoiningQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        constraints = [
            models.UniqueConstraint(fields=["user", "version"], name="one_receipt_per_user_and_version")
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.clips})"
