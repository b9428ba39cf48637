"""Descriptors of a patch of a mel spectrogram over time, in backend-neutral Keras operations.

They are the classical ones of music information retrieval, computed inside the network so that they are
exported and served with it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters

N_CEPSTRA: Final = 20
_GROUPS: Final = 16
_MODULATION_EDGES: Final = (1, 2, 4, 8, 16, 32)
_LEAST_VARIANCE: Final = 1e-6
_LEAST_POWER: Final = 1e-4


def describe(rows: Any) -> Any:
    """Describe each patch by statistics of its bands and of its cepstra.

    For every band: mean and deviation (texture windows: Tzanetakis and Cook, 2002) and mean absolute change
    after one and four columns. For the first cepstra: mean, deviation, correlation (Mandel and Ellis, 2005)
    and deviation of the change. For the cepstra and for groups of bands: the power of their modulation in
    octaves (McKinney and Breebaart, 2003).

    Parameters
    ----------
    rows
        (batch, n_mels, n_columns) normalised decibels, a Keras tensor. `n_mels` is a multiple of 16.

    Returns
    -------
    (batch, n_descriptors)
    """
    from keras import ops

    n_mels, n_columns = rows.shape[1:]
    mean, centred, deviation = _spread(rows)
    cepstra = ops.matmul(filters.dct(N_CEPSTRA, n_mels).astype(np.float32), rows)
    level, swing, spread = _spread(cepstra)
    covariance = ops.matmul(swing, ops.transpose(swing, (0, 2, 1))) / n_columns
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    upper = np.ravel_multi_index(np.triu_indices(N_CEPSTRA, 1), (N_CEPSTRA, N_CEPSTRA))
    _, _, change = _spread(cepstra[:, :, 1:] - cepstra[:, :, :-1])
    groups = ops.mean(ops.reshape(centred, (-1, _GROUPS, n_mels // _GROUPS, n_columns)), axis=2)
    return ops.concatenate(
        [
            mean,
            deviation,
            ops.mean(ops.abs(rows[:, :, 1:] - rows[:, :, :-1]), axis=2),
            ops.mean(ops.abs(rows[:, :, 4:] - rows[:, :, :-4]), axis=2),
            level,
            ops.log(spread),
            ops.take(ops.reshape(correlation, (-1, N_CEPSTRA**2)), upper, axis=1),
            ops.log(change),
            _modulation(swing),
            _modulation(groups),
        ],
        axis=1,
    )


def _spread(x: Any) -> tuple[Any, Any, Any]:
    """Mean over time, residual, and standard deviation (batch, n), which is never zero."""
    from keras import ops

    mean = ops.mean(x, axis=2)
    centred = x - mean[:, :, None]
    variance = ops.mean(ops.square(centred), axis=2)
    return mean, centred, ops.sqrt(ops.maximum(variance, _LEAST_VARIANCE))


def _modulation(centred: Any) -> Any:
    """Log mean power of each row's spectrum over time, by octave: (batch, rows * octaves)."""
    from keras import ops

    cosines, sines, octaves = _fourier(centred.shape[2])
    power = ops.square(ops.matmul(centred, cosines)) + ops.square(ops.matmul(centred, sines))
    octave_power = ops.matmul(power, octaves)
    return ops.reshape(ops.log(octave_power + _LEAST_POWER), (-1, centred.shape[1] * octaves.shape[1]))


def _fourier(n_columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Hann-windowed cosines and sines (n_columns, n_bins), and the bins' weights per octave (n_bins, n)."""
    last = min(n_columns // 2, _MODULATION_EDGES[-1] - 1)
    bins = np.arange(1, last + 1)
    phase = 2 * np.pi * np.outer(np.arange(n_columns), bins) / n_columns
    window = np.hanning(n_columns)[:, None]
    octaves = [
        ((bins >= low) & (bins < high)).astype(np.float64) for low, high in pairwise(_MODULATION_EDGES)
    ]
    shares = np.stack([octave / octave.sum() for octave in octaves if octave.any()], axis=1)
    return (
        (np.cos(phase) * window).astype(np.float32),
        (np.sin(phase) * window).astype(np.float32),
        shares.astype(np.float32),
    )
