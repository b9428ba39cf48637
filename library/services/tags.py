"""Store what the tagger found in a track."""

from __future__ import annotations

from typing import Any

from classifier.core.prediction import Prediction
from classifier.core.tags import NOTABLE, calibrated, flattened, version_of
from library.models import Analysis, NotableTag


def tag_fields(prediction: Prediction) -> dict[str, Any]:
    """Return the fields of an analysis that come from the tagger; empty ones where it was not asked."""
    tags = prediction.tags
    if tags is None:
        return {
            "style": "",
            "reason": "",
            "tags": {},
            "tag_version": "",
            "tag_embedding": None,
            "levelled_features": None,
        }
    return {
        "style": prediction.style or "",
        "reason": prediction.reason or "",
        "tags": calibrated(tags.strengths),
        "tag_version": version_of(tags),
        "tag_embedding": tags.embedding,
        "levelled_features": tags.levelled,
    }


def index_tags(analysis: Analysis) -> None:
    """Let lists find a track by the tags of its new current analysis. The track's row must be locked.

    A track without music is found by no tag.
    """
    NotableTag.objects.filter(track_id=analysis.track_id).delete()
    if analysis.music:
        NotableTag.objects.bulk_create(
            NotableTag(track_id=analysis.track_id, tag=slug, strength=strength)
            for slug, strength in flattened(analysis.tags).items()
            if strength >= NOTABLE
        )
