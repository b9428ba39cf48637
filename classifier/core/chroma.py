"""A chromagram, however long, as one vector whose Euclidean distance tells how alike two tracks are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

DESCRIPTOR_SIZE = 128
DESCRIPTOR_VERSION = "1"


def descriptor(chroma: Float32) -> Float32:
    """Summarise a chromagram (12, n_frames) as a unit vector (DESCRIPTOR_SIZE,)."""
    raise NotImplementedError
