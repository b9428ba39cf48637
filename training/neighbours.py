"""Nearest approved clips by the embedding of the same network."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from pgvector.django import CosineDistance

from classifier.models import ModelVersion
from training.models import Clip


@dataclass(frozen=True, slots=True)
class ClipNeighbour:
    """An approved clip and its cosine distance (0 is the same direction, 2 the opposite one)."""

    distance: float
    clip: Clip


def comparable_versions(version: ModelVersion) -> QuerySet[ModelVersion]:
    """Filter by the versions whose embeddings are comparable with those of `version`: same backbone."""
    # As `classifier.core.artifact.backbone_of` has it, without loading the metadata.
    backbone = Coalesce(KT("metadata__backbone_sha256"), "sha256", output_field=TextField())
    known = ModelVersion.objects.annotate(backbone=backbone)
    return known.filter(backbone__in=known.filter(pk=version.pk).values("backbone"))


def nearest_approved(*, clip: Clip, k: int = 4) -> list[ClipNeighbour]:
    """Return the `k` approved clips nearest to `clip`, the nearest first; none if it has no embedding."""
    if clip.embedding is None or clip.opinion_version is None:
        return []
    versions = list(comparable_versions(clip.opinion_version).values_list("pk", flat=True))
    found = (
        Clip.objects.filter(status=Clip.Status.APPROVED, opinion_version__in=versions)
        .exclude(embedding=None)
        .exclude(pk=clip.pk)
        .select_related("genre")
        .without_long_columns()
        .annotate(distance=CosineDistance("embedding", clip.embedding))
        .order_by("distance", "pk")[:k]
    )
    return [ClipNeighbour(float(other.distance), other) for other in found]  # type: ignore[attr-defined]  # annotated
