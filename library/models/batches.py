"""Batches: many files that were sent at once, and what came of each."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.keys import archive_key
from library.models.job_rows import JobRow
from library.models.tracks import Track


class UploadBatch(JobRow):
    """One request with many files, or with an archive that a worker unpacks."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being unpacked")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="upload_batches", verbose_name=_("owner")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    # Empty where the files came one by one, and once they are unpacked.
    archive = models.FileField(_("archive"), upload_to=archive_key, max_length=200, blank=True)
    # Whether it was told that all tracks of it are done: once, though they may be analysed again.
    announced = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("batch of uploads")
        verbose_name_plural = _("batches of uploads")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]), name="batch_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["queued", "running"]) | ~Q(archive=""),
                name="waiting_batch_has_archive",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="batch_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.status}"


class UploadEntry(models.Model):
    """One file of a batch."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        ADDED = "added", _("added")
        DUPLICATE = "duplicate", _("there already")
        REFUSED = "refused", _("refused")

    batch = models.ForeignKey(
        UploadBatch, models.CASCADE, related_name="entries", db_index=False, verbose_name=_("batch")
    )
    position = models.PositiveIntegerField(_("position"))
    name = models.CharField(_("file name"), max_length=1000)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.WAITING)
    track = models.ForeignKey(
        Track, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("track")
    )
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)

    class Meta:
        ordering = ["position"]
        verbose_name = _("file of a batch")
        verbose_name_plural = _("files of batches")
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="one_entry_per_place_in_batch")
        ]

    def __str__(self) -> str:
        return self.name
