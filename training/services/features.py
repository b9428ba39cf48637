"""Stored features of clips: quantised log-mel columns, computed once."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.core.patches import PatchParams
from classifier.core.summary import COLUMNS

if TYPE_CHECKING:
    from training.models import Clip

FloatArray = NDArray[np.float32]

N_MELS = PatchParams().n_mels
# A clip is 30 s, 388 columns; a file with many more is invalid.
_MOST_COLUMNS = 4096
# For a clip whose cells are all equal, which has no range to divide into levels.
_FLAT_FLOOR_DB = -80.0


class FeaturesError(ValueError):
    """The stored features of a clip are missing or damaged; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipFeatures:
    """The stored features of one clip.

    Attributes
    ----------
    levels
        (N_MELS, n_columns) uint8; the columns are those of `classifier.core.patches.columns_db`.
    floor_db
        Decibels that level 0 stands for, relative to the clip's loudest cell.
    summary
        (57,) float32 in the order of `classifier.core.summary.COLUMNS`, if the clip came with its sound.
    """

    levels: NDArray[np.uint8]
    floor_db: float
    summary: FloatArray | None = None

    @property
    def db(self) -> FloatArray:
        """(N_MELS, n_columns) float32 decibels relative to the clip's loudest cell."""
        levels = self.levels.astype(np.float32)
        return np.asarray(np.float32(self.floor_db) * (1 - (levels + 0.5) / 256), dtype=np.float32)

    @property
    def sha256(self) -> str:
        """Hash of the arrays, independent of their encoding in a file."""
        digest = hashlib.sha256(np.ascontiguousarray(self.levels).tobytes())
        digest.update(np.float32(self.floor_db).tobytes())
        return digest.hexdigest()


def quantise(db: FloatArray, summary: FloatArray | None = None) -> ClipFeatures:
    """Quantise decibels, relative to any reference, to 256 levels from their minimum to their maximum.

    Raises
    ------
    FeaturesError
        If the array is not (N_MELS, n_columns) of finite numbers.
    """
    if db.ndim != 2 or not np.isfinite(db).all():
        raise FeaturesError(f"expected ({N_MELS}, n_columns) finite decibels, got {db.shape}")
    relative = db - db.max(initial=-np.inf)
    floor_db = np.float32(relative.min(initial=0.0))
    if floor_db > -1e-3:
        floor_db = np.float32(_FLAT_FLOOR_DB)
    levels = np.clip((1 - relative / floor_db) * 256, 0, 255).astype(np.uint8)
    return _checked(ClipFeatures(levels, float(floor_db), summary))


def pack(db: FloatArray, summary: FloatArray | None = None) -> bytes:
    """Encode decibels, and the summary features if there are any, as the file that is stored."""
    return pack_features(quantise(db, summary))


def pack_features(features: ClipFeatures) -> bytes:
    """Encode existing levels, such as those of an imported data set, unchanged."""
    _checked(features)
    arrays: dict[str, NDArray[np.generic]] = {
        "levels": np.ascontiguousarray(features.levels),
        "floor_db": np.asarray(features.floor_db, dtype=np.float32),
    }
    if features.summary is not None:
        arrays["summary"] = np.asarray(features.summary, dtype=np.float32)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # the stubs take names for allow_pickle
    return file.getvalue()


def unpack(data: bytes) -> ClipFeatures:
    """Decode the output of `pack`.

    Raises
    ------
    FeaturesError
        If the file is damaged or contains something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            summary = np.asarray(archive["summary"], np.float32) if "summary" in archive else None
            return _checked(ClipFeatures(archive["levels"], float(archive["floor_db"]), summary))
    except (OSError, KeyError, EOFError, TypeError, zipfile.BadZipFile, ValueError) as error:
        if isinstance(error, FeaturesError):
            raise
        raise FeaturesError(f"the features cannot be read: {error}") from error


def read_features(clip: Clip) -> ClipFeatures:
    """Fetch the features of a clip from the storage.

    Raises
    ------
    FeaturesError
        If the clip has none, or they are missing or damaged.
    OSError
        If the storage is unreachable.
    """
    if not clip.features:
        raise FeaturesError(f"clip {clip.pk} has no features")
    try:
        with clip.features.storage.open(str(clip.features.name), "rb") as file:
            return unpack(file.read())
    except FileNotFoundError as error:
        raise FeaturesError(f"the features of clip {clip.pk} are gone") from error


def _checked(features: ClipFeatures) -> ClipFeatures:
    levels, summary = features.levels, features.summary
    if levels.dtype != np.uint8 or levels.ndim != 2 or levels.shape[0] != N_MELS:
        raise FeaturesError(f"expected ({N_MELS}, n_columns) levels, got {levels.dtype} {levels.shape}")
    if not 0 < levels.shape[1] <= _MOST_COLUMNS:
        raise FeaturesError(f"{levels.shape[1]} columns are no clip")
    if not (np.isfinite(features.floor_db) and features.floor_db < 0):
        raise FeaturesError(f"level 0 cannot be {features.floor_db} dB")
    if summary is not None and summary.shape != (len(COLUMNS),):
        raise FeaturesError(f"expected {len(COLUMNS)} summary features, got {summary.shape}")
    return features
