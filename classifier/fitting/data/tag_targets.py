"""What the tagger gives for clips as targets of a network: it is to predict them beside the genre.

Where the tagger was not asked, or too rarely, a network learns from the labels alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.tag_storage import EMBEDDING_SIZE
from classifier.core.tagger import MSD_TAGS

FloatArray = NDArray[np.float32]

N_TARGETS: Final = len(MSD_TAGS) + EMBEDDING_SIZE
LEAST_CLIPS: Final = 20
"""Clips with an output of the tagger, for their mean and deviation to mean anything."""

_LEAST_STRENGTH: Final = 1e-4
_LEAST_DEVIATION: Final = 1e-3
"""Some places of an embedding are the same for nearly all music."""
_LARGEST: Final = 4.0
"""Deviations from the mean; single clips beyond would dominate the squared error."""


def from_stored(stored: NDArray[np.float16], taggers: NDArray[np.str_]) -> FloatArray | None:
    """Logits of MSD's tags and its embedding, each scaled to mean 0 and deviation 1 over the clips.

    Parameters
    ----------
    stored
        (n, n_values) as `core.tag_storage` keeps it; rows of NaN where there is nothing.
    taggers
        (n,) version of the tagger that made each row; '' where there is none. Only rows of the version that
        made most of them are used: outputs of others are not comparable.

    Returns
    -------
    (n, N_TARGETS) float32, rows of NaN where nothing is known; None where fewer than `LEAST_CLIPS` are known.
    """
    versions, counts = np.unique(taggers[taggers != ""], return_counts=True)
    if not len(versions) or stored.shape[1] < N_TARGETS:
        return None
    values = np.concatenate([stored[:, : len(MSD_TAGS)], stored[:, -EMBEDDING_SIZE:]], axis=1)
    values = values.astype(np.float32)
    known = (taggers == versions[counts.argmax()]) & np.isfinite(values).all(axis=1)
    if known.sum() < LEAST_CLIPS:
        return None
    rows = values[known]
    strengths = np.clip(rows[:, : len(MSD_TAGS)], _LEAST_STRENGTH, 1 - _LEAST_STRENGTH)
    rows[:, : len(MSD_TAGS)] = np.log(strengths / (1 - strengths))
    scaled = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + _LEAST_DEVIATION)
    targets = np.full((len(stored), N_TARGETS), np.nan, dtype=np.float32)
    targets[known] = np.clip(scaled, -_LARGEST, _LARGEST)
    return targets
