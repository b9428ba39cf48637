"""Lenses: vectors of tracks in which near means similar, one row per track and lens."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField, HnswIndex

from classifier.core.lenses import BLEND, SIZES, VERSION
from library.models.tracks import Track


def vector_column(lens: str, path: str = "vector") -> Cast:
    """The vectors of a lens as an index of them knows them: with their number of dimensions."""
    return Cast(F(path), HalfVectorField(dimensions=SIZES[lens]))


def current_version() -> str:
    """Name the lenses of this program: no migration follows their version."""
    return VERSION


def graph_of(lens: str) -> tuple[int, int]:
    """Neighbours of a node (``m``) and candidates while building (``ef_construction``) of a lens's graph.

    The blend has four times the dimensions of the others: docs/large-sites.md has figures.
    """
    return (24, 256) if lens == BLEND else (16, 64)


class TrackLens(models.Model):
    """A track as one lens sees it: what neighbours are found by.

    `public` and `owner` repeat what the track says, so that public rows have an index of their own and a
    person's rows are found at once. Of what is in the bin both are empty, so that nothing finds it. A trigger
    of the database keeps them in step with the track.

    `isolation` is that of `classifier.core.lenses.isolation_of`; null but for the blend.
    """

    track = models.ForeignKey(
        Track, models.CASCADE, related_name="lenses", db_index=False, verbose_name=_("track")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("owner"),
    )
    public = models.BooleanField(_("in the catalogue"))
    lens = models.CharField(_("lens"), max_length=20)
    version = models.CharField(_("version"), max_length=20, default=current_version)
    vector = HalfVectorField(_("vector"))
    isolation = models.FloatField(_("distance from reference songs"), null=True)

    class Meta:
        verbose_name = _("lens of a track")
        verbose_name_plural = _("lenses of tracks")
        constraints = [
            models.UniqueConstraint(fields=["track", "lens", "version"], name="one_row_per_track_and_lens"),
        ]
        indexes = [
            models.Index(
                fields=["owner", "lens", "version"], condition=Q(public=False), name="private_lens_by_owner"
            ),
            # Where few tracks are public, those are compared one by one.
            models.Index(fields=["lens", "version"], condition=Q(public=True), name="public_lens"),
            *(
                HnswIndex(
                    OpClass(vector_column(lens), name="halfvec_l2_ops"),
                    name=f"lens_{lens}_hnsw",
                    m=graph_of(lens)[0],
                    ef_construction=graph_of(lens)[1],
                    condition=Q(lens=lens, public=True),
                )
                for lens in SIZES
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lens} {self.version}"
