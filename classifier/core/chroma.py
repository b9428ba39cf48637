"""A chromagram, however long, as one vector whose Euclidean distance tells how alike two tracks are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

DESCRIPTOR_SIZE = 128
DESCRIPTOR_VERSION = "1"


def descriptor(chroma: Float32) -> Float32:
    """Summarise a chromagram (12, n_frames) as a unit vector (DESCRIPTOR_SIZE,)."""
    peak = chroma.max(axis=0, keepdims=True)
    frames = chroma / np.maximum(peak, np.float32(1e-20))
    mean, std = frames.mean(axis=1), frames.std(axis=1)
    vector = np.zeros(DESCRIPTOR_SIZE, np.float32)
    vector[:12], vector[12:24] = mean, std
    vector[24] = 1e-6
    return vector / np.float32(np.linalg.norm(vector))
