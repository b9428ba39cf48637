"""The tempo of a track, from its mel spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from classifier.core.features import FeatureParams, power_to_db

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SLOWEST: Final = 40.0
FASTEST: Final = 220.0
_LEAST_SECONDS: Final = 6.0
"""Less holds too few beats to tell how far they are apart."""
_MULTIPLES: Final = 4
_PREFERRED: Final = 120.0
_OCTAVES: Final = 1.0
_GRID: Final = 1.002
_LOCAL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo.

    Attributes
    ----------
    bpm
        Beats per minute.
    clarity
        How alike the onsets are one to four beats later, from 0 to 1.
    """

    bpm: float
    clarity: float


def onset_strength(mel_power: Float32) -> Float64:
    """How much louder each frame is than the one before, averaged over mel bands (spectral flux).

    Parameters
    ----------
    mel_power : ndarray (n_mels, n_frames) float32

    Returns
    -------
    ndarray (n_frames,)
        Mean rise in decibels, at least 0 (Böck and Widmer, Maximum filter vibrato suppression for onset
        detection, 2013, without the suppression).
    """
    db = power_to_db(mel_power, ref=max(float(mel_power.max()), 1e-10), top_db=80.0)
    rises = np.zeros(mel_power.shape[1])
    rises[1:] = np.maximum(np.diff(db, axis=1), 0.0).mean(axis=0)
    return rises


def tempo_of(mel_power: Float32, params: FeatureParams) -> Tempo | None:
    """Estimate the tempo by the autocorrelation of the onset strength.

    The distance of beats is the one at whose first four multiples the onsets are most alike, weighted by a
    log-normal curve around 120 beats per minute (Ellis, Beat tracking by dynamic programming, 2007).

    Parameters
    ----------
    mel_power : ndarray (n_mels, n_frames) float32
    params
        Of the mel spectrogram.

    Returns
    -------
    None where nothing begins, or where it is shorter than six seconds.
    """
    rate = params.sample_rate / params.hop_length
    onsets = onset_strength(mel_power)
    if onsets.size < _LEAST_SECONDS * rate or not onsets.any():
        return None
    correlation = _autocorrelation(onsets - _local_mean(onsets, round(_LOCAL_SECONDS * rate)))
    if correlation is None:
        return None
    n_tempi = int(np.log(FASTEST / SLOWEST) / np.log(_GRID))
    tempi = SLOWEST * _GRID ** np.arange(n_tempi + 1)
    lags = 60.0 * rate / tempi
    lengths = np.outer(np.arange(1, _MULTIPLES + 1), lags)
    alike = np.interp(lengths, np.arange(correlation.size), correlation).mean(axis=0)
    weights = np.exp(-0.5 * (np.log2(tempi / _PREFERRED) / _OCTAVES) ** 2)
    best = int(np.argmax(alike * weights))
    return Tempo(float(tempi[best]), float(np.clip(alike[best], 0.0, 1.0)))


def _local_mean(values: Float64, width: int) -> Float64:
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(values.size), kernel, "same")


def _autocorrelation(values: Float64) -> Float64 | None:
    """Autocorrelation relative to no lag, each lag by the number of its terms; None of a constant."""
    size = 1 << (2 * values.size - 1).bit_length()
    spectrum = np.fft.rfft(values, size)
    sums = np.fft.irfft(np.square(np.abs(spectrum)), size)[: values.size]
    if sums[0] <= 1e-9:
        return None
    return np.asarray(sums / (sums[0] * (1.0 - np.arange(values.size) / values.size)), np.float64)
