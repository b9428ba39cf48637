"""What rows that are jobs of the analysis workers keep of their claims."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class JobRow(models.Model):
    """Columns that `genreweb.jobs.JobTable` claims and gives back rows by; `status` is the model's own."""

    # As for tracks: claims, and claims since the last request of a person.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        abstract = True
