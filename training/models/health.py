"""Checks of the labels of all approved clips against out-of-fold predictions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models import ModelVersion
from genreweb.long_columns import JoiningQuerySet


class LabelCheck(models.Model):
    """One check of the labels of all approved clips. At most one waits or runs at a time."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # While it waits, when it was last sent to a worker; while it runs, its last heartbeat.
    pulse_at = models.DateTimeField(_("last sign of life"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    version = models.ForeignKey(
        ModelVersion,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("version whose embeddings were used"),
    )
    clips = models.PositiveIntegerField(_("clips looked at"), default=0)
    # Genres with too few clips to be checked.
    left_out = models.JSONField(_("genres left out"), default=list, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)

    objects = JoiningQuerySet.as_manager()

    class Meta:
        ordering = ["-created", "-pk"]
        verbose_name = _("check of the labels")
        verbose_name_plural = _("checks of the labels")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]),
                name="label_check_status_known",
            ),
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(status__in=["queued", "running"]),
                name="one_active_label_check",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.created:%Y-%m-%d %H:%M}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE
