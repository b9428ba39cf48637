"""Layouts of the catalogue by its sound: what its map is drawn by."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.models.job_rows import JobRow


class MapProjection(JobRow):
    """One fit of the map, as a job of the analysis workers. The newest finished one is in use.

    It is fitted on tracks of the catalogue alone; everything else is placed by it.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being worked out")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    lens = models.CharField(_("lens"), max_length=20)
    version = models.CharField(_("version of the lenses"), max_length=20, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)

    public_tracks = models.PositiveIntegerField(_("tracks of the catalogue then"), default=0)
    # As `classifier.core.layout.Layout.to_json` gives it; null until done.
    layout = models.JSONField(_("layout"), null=True, blank=True)

    LONG_COLUMNS: ClassVar = ("layout",)

    class Meta:
        verbose_name = _("projection of the map")
        verbose_name_plural = _("projections of the map")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]),
                name="map_projection_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(layout__isnull=False), name="done_map_projection_has_layout"
            ),
            models.UniqueConstraint(
                fields=["lens"],
                condition=Q(status__in=["queued", "running"]),
                name="one_map_projection_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lens} {self.version}: {self.status}"
