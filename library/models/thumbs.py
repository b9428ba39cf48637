"""What people think of the neighbours they were shown, and what was learnt from it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.models.tracks import Track


class Thumb(models.Model):
    """What a person thinks of one track as a neighbour of another."""

    class Value(models.IntegerChoices):
        UP = 1, _("up")
        DOWN = -1, _("down")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="thumbs",
        db_index=False,
        verbose_name=_("person"),
    )
    query = models.ForeignKey(Track, models.CASCADE, related_name="+", verbose_name=_("track asked about"))
    neighbour = models.ForeignKey(Track, models.CASCADE, related_name="+", verbose_name=_("neighbour"))
    lens = models.CharField(_("found by"), max_length=20)
    value = models.SmallIntegerField(_("thumb"), choices=Value.choices)
    changed = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        ordering = ["-changed", "-pk"]
        verbose_name = _("thumb")
        verbose_name_plural = _("thumbs")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "query", "neighbour"], name="one_thumb_per_person_and_neighbour"
            ),
            models.CheckConstraint(condition=Q(value__in=[1, -1]), name="thumb_up_or_down"),
            models.CheckConstraint(condition=~Q(query=F("neighbour")), name="thumb_on_another_track"),
        ]
        indexes = [models.Index(fields=["user", "-changed"], name="thumb_by_person")]

    def __str__(self) -> str:
        return self.get_value_display()


class LearnedWeights(models.Model):
    """How much each lens counts for a person, as learnt from their thumbs; no row where there are none."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        primary_key=True,
        related_name="learned_weights",
        verbose_name=_("person"),
    )
    version = models.CharField(_("version of the lenses"), max_length=20)
    weights = models.JSONField(_("weight by lens"))

    class Meta:
        verbose_name = _("learned weights")
        verbose_name_plural = _("learned weights")

    def __str__(self) -> str:
        return self.version
