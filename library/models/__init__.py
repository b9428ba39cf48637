"""Tracks, their analyses, explanations and re-analyses."""

from library.keys import cover_key, explanation_key, picture_key, rendition_key, safe_suffix, sound_key
from library.models.analyses import TAG_EMBEDDING_SIZE, Analysis, NotableTag
from library.models.explanations import Explanation
from library.models.lenses import TrackLens
from library.models.reanalyses import Reanalysis
from library.models.tracks import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    TITLE_LENGTH,
    Track,
    TrackQuerySet,
    findable,
    holding,
    made_of,
    strength_column,
)

__all__ = [
    "EARLIEST_YEAR",
    "LATEST_YEAR",
    "TAG_EMBEDDING_SIZE",
    "TITLE_LENGTH",
    "Analysis",
    "Explanation",
    "NotableTag",
    "Reanalysis",
    "Track",
    "TrackLens",
    "TrackQuerySet",
    "cover_key",
    "explanation_key",
    "findable",
    "holding",
    "made_of",
    "picture_key",
    "rendition_key",
    "safe_suffix",
    "sound_key",
    "strength_column",
]
