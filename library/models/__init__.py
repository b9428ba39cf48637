"""Tracks, their analyses and explanations, playlists of them, and what people think of neighbours."""

from library.keys import (
    archive_key,
    cover_key,
    encoded_key,
    explanation_key,
    picture_key,
    rendition_key,
    safe_suffix,
    sound_key,
)
from library.models.analyses import TAG_EMBEDDING_SIZE, Analysis, NotableTag
from library.models.batches import UploadBatch, UploadEntry
from library.models.encoded import EncodedCopy
from library.models.explanations import Explanation
from library.models.features import TrackFeatures
from library.models.lenses import TrackLens
from library.models.maps import MapProjection
from library.models.playlists import Playlist, PlaylistEntry, PlaylistQuerySet
from library.models.reanalyses import Reanalysis
from library.models.resumable import ResumableUpload, UploadPart
from library.models.thumbs import LearnedWeights, Thumb
from library.models.tracks import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    TITLE_LENGTH,
    Track,
    TrackQuerySet,
    findable,
    holding,
    made_of,
    seen_by,
    strength_column,
)
from library.models.vector_changes import VectorChange
from library.models.watched import WatchedFile

__all__ = [
    "EARLIEST_YEAR",
    "LATEST_YEAR",
    "TAG_EMBEDDING_SIZE",
    "TITLE_LENGTH",
    "Analysis",
    "EncodedCopy",
    "Explanation",
    "LearnedWeights",
    "MapProjection",
    "NotableTag",
    "Playlist",
    "PlaylistEntry",
    "PlaylistQuerySet",
    "Reanalysis",
    "ResumableUpload",
    "Thumb",
    "Track",
    "TrackFeatures",
    "TrackLens",
    "TrackQuerySet",
    "UploadBatch",
    "UploadEntry",
    "UploadPart",
    "VectorChange",
    "WatchedFile",
    "archive_key",
    "cover_key",
    "encoded_key",
    "explanation_key",
    "findable",
    "holding",
    "made_of",
    "picture_key",
    "rendition_key",
    "safe_suffix",
    "seen_by",
    "sound_key",
    "strength_column",
]
