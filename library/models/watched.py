"""Files of the watch folder, and what became of each."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from library.models.tracks import Track


class WatchedFile(models.Model):
    """A file that was seen in the watch folder."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting until it stays the same")
        TAKEN = "taken", _("taken")
        REFUSED = "refused", _("refused")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="watched_files", verbose_name=_("owner")
    )
    # SHA-256 of the path in the folder, whose bytes may be no text and longer than an index takes.
    place = models.CharField(_("place"), max_length=64, editable=False)
    name = models.TextField(_("path in the folder"))
    # Size and modification time when it was last looked at, and since when they are so.
    stamp = models.CharField(_("size and time"), max_length=50)
    since = models.DateTimeField(_("unchanged since"), default=timezone.now)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True)
    # Null until it is taken, and once its track was deleted: then the file is not taken again.
    track = models.ForeignKey(
        Track, models.SET_NULL, null=True, blank=True, related_name="watched_files", verbose_name=_("track")
    )
    # Whether the track came from this folder: else it was there before, and stays when the file goes.
    made_track = models.BooleanField(_("the track came from it"), default=False)
    missing_since = models.DateTimeField(_("missing since"), null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        verbose_name = _("watched file")
        verbose_name_plural = _("watched files")
        constraints = [
            models.UniqueConstraint(fields=["owner", "place"], name="one_watched_file_per_place"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "taken", "refused"]), name="watched_file_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
