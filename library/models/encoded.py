"""Encoded copies: a track in another format or at a lower bit rate, as music players ask for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from library.keys import encoded_key
from library.models.job_rows import JobRow
from library.models.tracks import Track


class EncodedCopy(JobRow):
    """A track in one format at one bit rate; made on the first request, kept while it is used."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being encoded")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    track = models.ForeignKey(Track, models.CASCADE, related_name="encoded_copies", verbose_name=_("track"))
    # A name in `classifier.core.encoding.TARGETS`.
    target = models.CharField(_("format"), max_length=10)
    bit_rate = models.PositiveSmallIntegerField(_("bit rate in kbit/s"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    file = models.FileField(_("file"), upload_to=encoded_key, max_length=200, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    # When somebody last asked for it, give or take some minutes.
    used_at = models.DateTimeField(_("last used"), default=timezone.now)

    IN_BACKUPS: ClassVar = False
    """They are made again when they are asked for."""

    class Meta:
        verbose_name = _("encoded copy")
        verbose_name_plural = _("encoded copies")
        constraints = [
            models.UniqueConstraint(
                fields=["track", "target", "bit_rate"], name="one_copy_per_format_and_bit_rate"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]),
                name="encoded_copy_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | ~Q(file=""), name="done_encoded_copy_has_file"
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="encoded_copy_unfinished",
            ),
            models.Index(fields=["used_at"], name="encoded_copy_by_use"),
        ]

    def __str__(self) -> str:
        return f"{self.track_id}: {self.target} {self.bit_rate}"

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)
