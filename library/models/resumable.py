"""Uploads that survive a lost connection: what has arrived of a file so far."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.keys import part_key
from library.models.tracks import Track


class ResumableUpload(models.Model):
    """A file that is sent in parts; when the last has arrived it becomes a track."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="resumable_uploads", verbose_name=_("owner")
    )
    name = models.TextField(_("original file name"), blank=True, validators=[MaxLengthValidator(1000)])
    # As the client sent it, to be told again.
    metadata = models.TextField(blank=True, validators=[MaxLengthValidator(4096)])
    length = models.PositiveBigIntegerField(_("size in bytes"))
    # How much has arrived. Only an UPDATE that names the former value moves it on.
    offset = models.PositiveBigIntegerField(default=0)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    expires = models.DateTimeField(_("expires"), db_index=True)
    # When somebody last began to make a track of it.
    claimed_at = models.DateTimeField(null=True, blank=True)
    track = models.ForeignKey(
        Track, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("track")
    )

    class Meta:
        ordering = ["-created"]
        verbose_name = _("resumable upload")
        verbose_name_plural = _("resumable uploads")
        constraints = [
            models.CheckConstraint(condition=Q(offset__lte=F("length")), name="upload_not_longer_than_told")
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.offset} / {self.length}"

    @property
    def is_complete(self) -> bool:
        return self.offset == self.length


class UploadPart(models.Model):
    """What one request brought of a file."""

    upload = models.ForeignKey(
        ResumableUpload, models.CASCADE, related_name="parts", db_index=False, verbose_name=_("upload")
    )
    start = models.PositiveBigIntegerField()
    size = models.PositiveBigIntegerField(_("size in bytes"))
    file = models.FileField(_("file"), upload_to=part_key, max_length=200)

    class Meta:
        ordering = ["start"]
        verbose_name = _("part of an upload")
        verbose_name_plural = _("parts of uploads")
        constraints = [models.UniqueConstraint(fields=["upload", "start"], name="one_part_per_start")]

    def __str__(self) -> str:
        return f"{self.start} + {self.size}"
