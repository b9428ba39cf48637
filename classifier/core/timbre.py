"""The timbre of a track in numbers: statistics of its cepstral coefficients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

N_COEFFICIENTS = 19
TIMBRE_SIZE = 3 * N_COEFFICIENTS


def timbre(mfcc: Float32) -> Float32:
    """Summarise cepstral coefficients by mean, deviation and mean absolute change from frame to frame.

    The first coefficient is left out: it is the level, which a transcoding or a volume control changes.

    Parameters
    ----------
    mfcc : ndarray (20, n_frames) float32
        ``Features.mfcc``, n_frames at least 1.

    Returns
    -------
    ndarray (TIMBRE_SIZE,) float32
    """
    kept = np.asarray(mfcc[1 : 1 + N_COEFFICIENTS], np.float64)
    change = np.abs(np.diff(kept, axis=1)).mean(axis=1) if kept.shape[1] > 1 else np.zeros(N_COEFFICIENTS)
    return np.concatenate([kept.mean(axis=1), kept.std(axis=1), change]).astype(np.float32)
