"""Even the long-term spectrum of a noisy recording out, so that music in it is easier to recognise.

It is for recordings through a microphone. Clean music does not need it, and the networks know the spectrum of
clean music: see `classifier.core.recordings` for when it is used. Noise is not suppressed: what suppression
leaves of it looks more like music than the noise did.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters
from classifier.core.tagger_input import FRAME_POWER, N_FFT, N_MELS, SAMPLE_RATE

FloatArray = NDArray[np.float32]
Float64 = NDArray[np.float64]

MOST_DB: Final = 12.0
"""Largest gain or loss of a mel band."""

_LEVEL_BAND_HZ: Final = (430.0, 5170.0)
_SMOOTHED_BANDS: Final = 9
_BASS_BANDS: Final = 8
"""Up to 250 Hz, below which a small loudspeaker gives little."""
_EVERY_FRAME: Final = 4
_SCALE: Final = 10_000.0
_MUSIC_BANDS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 18, 28, 40, 52, 62, 72, 80, 90, 93, 94, 95)
_MUSIC_DB: Final = (
    *(-14.2, -9.4, -9.4, -11.2, -12.5, -13.9, -15.3, -16.8, -18.0, -21.2),
    *(-23.1, -26.3, -28.4, -32.0, -36.0, -38.2, -39.6, -42.1, -48.3),
)
"""The long-term spectrum of recorded music in some mel bands: mean over the whole clips and the excerpts of
ten genres that the head for recordings is fitted on, relative to the sum of all bands."""


def equalise(log_mel: FloatArray) -> FloatArray:
    """Bring the long-term spectrum and the level of each patch to those of recorded music.

    Parameters
    ----------
    log_mel
        (n, n_frames, N_MELS) ``log10(1 + 10000 power)``, as `classifier.core.tagger` cuts it, with its
        treble.

    Returns
    -------
    (n, n_frames, N_MELS) float32; a silent patch stays silent.
    """
    power = np.expm1(log_mel.astype(np.float64) * math.log(10)) / _SCALE
    mean = power.mean(axis=1)
    sounding = mean.sum(axis=1) > 0
    power[sounding] *= np.power(10.0, _gains_db(mean[sounding]) / 10)[:, np.newaxis]
    power[sounding] *= FRAME_POWER / power[sounding].sum(axis=2).mean(axis=1)[:, np.newaxis, np.newaxis]
    return np.asarray(np.log1p(_SCALE * power) / math.log(10), np.float32)


def missing_bass_db(log_mel: FloatArray) -> float:
    """How much softer the bass of a track is than that of recorded music, beside its other bands.

    Parameters
    ----------
    log_mel
        (n, n_frames, N_MELS) as for `equalise`; its treble may be missing.

    Returns
    -------
    Decibels, at most `MOST_DB`; 0 of silence.
    """
    # A few frames give the long-term spectrum as well as all.
    power = np.expm1(log_mel[:, ::_EVERY_FRAME].astype(np.float64) * math.log(10)) / _SCALE
    mean = power.mean(axis=(0, 1), keepdims=True)[0]
    return float(_gains_db(mean)[0, :_BASS_BANDS].mean()) if mean.sum() > 0 else 0.0


def _gains_db(mean: Float64) -> Float64:
    """(n, N_MELS) gains that bring (n, N_MELS) mean powers to the spectrum of recorded music."""
    spectrum = 10 * np.log10(np.maximum(mean, 1e-9 * mean.max(axis=1, keepdims=True)))
    difference = np.interp(np.arange(N_MELS), _MUSIC_BANDS, _MUSIC_DB) - spectrum
    edge = _SMOOTHED_BANDS // 2
    padded = np.pad(difference, ((0, 0), (edge, edge)), mode="edge")
    smooth = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_BANDS, axis=1).mean(axis=2)
    level = smooth[:, _level_bands()].mean(axis=1, keepdims=True)
    return np.asarray(np.clip(smooth - level, -MOST_DB, MOST_DB))


@cache
def _level_bands() -> NDArray[np.bool_]:
    """The bands whose mean gain is 0 dB, before the level is set."""
    weights = filters.mel(SAMPLE_RATE, N_FFT, N_MELS)
    hertz = weights @ np.linspace(0, SAMPLE_RATE / 2, weights.shape[1]) / weights.sum(axis=1)
    return np.asarray((hertz > _LEVEL_BAND_HZ[0]) & (hertz < _LEVEL_BAND_HZ[1]))
