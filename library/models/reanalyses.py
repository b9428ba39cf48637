"""Re-analyses: requests to analyse many tracks again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Reanalysis(models.Model):
    """A request to analyse all tracks of a scope with the version in service, queued in small batches."""

    class Scope(models.TextChoices):
        MINE = "mine", _("my tracks")
        CATALOGUE = "catalogue", _("the catalogue")

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    ACTIVE = (Status.RUNNING, Status.PAUSED)

    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("requested by")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RUNNING)
    # Number of outdated tracks when it began; a later promotion adds to them.
    total = models.PositiveIntegerField(_("tracks"), default=0)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("re-analysis")
        verbose_name_plural = _("re-analyses")
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by"],
                condition=Q(scope="mine", status__in=["running", "paused"]),
                name="one_active_reanalysis_per_person",
            ),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(scope="catalogue", status__in=["running", "paused"]),
                name="one_active_reanalysis_of_the_catalogue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} ({self.created:%Y-%m-%d})"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE
