"""Explanations: why an analysis names its genre."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.keys import explanation_key
from library.models.analyses import Analysis
from library.models.job_rows import JobRow


class Explanation(JobRow):
    """The bands and moments that support the genre of one analysis; made on the first request."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being worked out")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    analysis = models.OneToOneField(
        Analysis, models.CASCADE, related_name="explanation", verbose_name=_("analysis")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)

    # The map and its strongest parts; empty until done.
    summary = models.JSONField(_("bands and moments"), default=dict, blank=True)
    picture = models.FileField(_("map"), upload_to=explanation_key, max_length=200, blank=True)

    LONG_COLUMNS: ClassVar = ("summary",)

    class Meta:
        verbose_name = _("explanation")
        verbose_name_plural = _("explanations")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]),
                name="explanation_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | ~Q(picture=""), name="done_explanation_has_picture"
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="explanation_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.analysis_id}: {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)
