"""The tagger's output for a track as one array of half precision, and back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.prediction import TrackTags
from classifier.core.tagger import MSD_TAGS, MTT_TAGS

EMBEDDING_SIZE: Final = 200
N_STRENGTHS: Final = len(MSD_TAGS) + len(MTT_TAGS)
MOST_VALUES: Final = 4096
_MTT_NAMES: Final = tuple(f"mtt:{tag}" for tag in MTT_TAGS)
_MOST: Final = float(np.finfo(np.float16).max)


def to_array(tags: TrackTags) -> NDArray[np.float16]:
    """Give (N_STRENGTHS + n_features,) half floats: strengths of MSD's tags and of MTT's, then the row.

    Tags of a network that was not asked are NaN.
    """
    strengths = [tags.strengths.get(name, np.nan) for name in (*MSD_TAGS, *_MTT_NAMES)]
    values = np.concatenate([np.asarray(strengths, np.float32), tags.row])
    return np.asarray(np.clip(values, -_MOST, _MOST), np.float16)


def from_array(values: NDArray[np.floating[Any]], *, version: str) -> TrackTags:
    """Give what `to_array` was given, at half precision.

    Parameters
    ----------
    version
        Of the tagger.

    Raises
    ------
    ValueError
        It is no such array.
    """
    if values.ndim != 1 or not N_STRENGTHS + EMBEDDING_SIZE <= values.size <= MOST_VALUES:
        raise ValueError(f"expected strengths and a row of features, got {values.shape}")
    strengths, row = np.split(values.astype(np.float32), [N_STRENGTHS])
    known = ~np.isnan(strengths)
    if not (known[: len(MSD_TAGS)].all() and np.isfinite(row).all()):
        raise ValueError("the tagger's output has values that are not finite")
    if not ((strengths[known] >= 0) & (strengths[known] <= 1)).all():
        raise ValueError("the strengths of tags must be probabilities")
    names = (*MSD_TAGS, *_MTT_NAMES)
    return TrackTags(
        strengths={name: float(value) for name, value in zip(names, strengths, strict=True) if value >= 0},
        row=row,
        embedding=row[-EMBEDDING_SIZE:],
        version=version,
    )


def to_bytes(tags: TrackTags) -> bytes:
    """Give `to_array` as little-endian bytes."""
    return to_array(tags).astype("<f2").tobytes()


def array_of(content: bytes) -> NDArray[np.float16]:
    """Give the array of `to_bytes`.

    Raises
    ------
    ValueError
        The content is not a whole number of half floats.
    """
    return np.frombuffer(content, "<f2").astype(np.float16)


def from_bytes(content: bytes, *, version: str) -> TrackTags:
    """Give what `to_bytes` was given, at half precision.

    Raises
    ------
    ValueError
        As `array_of` and `from_array`.
    """
    return from_array(array_of(content), version=version)
