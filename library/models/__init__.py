"""Tracks, their analyses, explanations and re-analyses."""

from library.keys import explanation_key, picture_key, rendition_key, safe_suffix, sound_key
from library.models.analyses import TAG_EMBEDDING_SIZE, Analysis, NotableTag
from library.models.explanations import Explanation
from library.models.lenses import TrackLens
from library.models.reanalyses import Reanalysis
from library.models.tracks import LONG_COLUMNS, TITLE_LENGTH, Track, TrackQuerySet, strength_column

__all__ = [
    "LONG_COLUMNS",
    "TAG_EMBEDDING_SIZE",
    "TITLE_LENGTH",
    "Analysis",
    "Explanation",
    "NotableTag",
    "Reanalysis",
    "Track",
    "TrackLens",
    "TrackQuerySet",
    "explanation_key",
    "picture_key",
    "rendition_key",
    "safe_suffix",
    "sound_key",
    "strength_column",
]
