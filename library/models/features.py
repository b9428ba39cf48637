"""Summary features: the 57 numbers of `classifier.core.summary`, kept once somebody asked for them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.core.summary import COLUMNS
from library.models.tracks import Track


class TrackFeatures(models.Model):
    """The summary features of one track's sound."""

    track = models.OneToOneField(
        Track, models.CASCADE, primary_key=True, related_name="features", verbose_name=_("track")
    )
    # Of the file that they were computed of: with another one they are computed again.
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    length = models.PositiveIntegerField(_("number of samples at 22,050 Hz"))
    values = ArrayField(models.FloatField(), size=len(COLUMNS), verbose_name=_("summary features"))

    class Meta:
        verbose_name = _("summary features")
        verbose_name_plural = _("summary features")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(values__len=len(COLUMNS)), name="features_have_every_column"
            )
        ]

    def __str__(self) -> str:
        return str(self.track_id)
