"""Filter banks and transforms as matrices, computed once and cached: rows are filters, columns FFT bins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
_MEL_HZ = 200.0 / 3
_MEL_BREAK_HZ = 1000.0
_MEL_BREAK = _MEL_BREAK_HZ / _MEL_HZ
_MEL_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequencies: npt.NDArray[np.floating[Any]]) -> Float64:
    """Hertz to Slaney's mel."""
    hz = np.asarray(frequencies, np.float64)
    log_part = _MEL_BREAK + np.log(np.maximum(hz, _MEL_BREAK_HZ) / _MEL_BREAK_HZ) / _MEL_LOG_STEP
    return np.where(hz < _MEL_BREAK_HZ, hz / _MEL_HZ, log_part)


def mel_to_hz(mels: npt.NDArray[np.floating[Any]]) -> Float64:
    """Slaney's mel to hertz."""
    mel_values = np.asarray(mels, np.float64)
    log_part = _MEL_BREAK_HZ * np.exp(_MEL_LOG_STEP * (np.maximum(mel_values, _MEL_BREAK) - _MEL_BREAK))
    return np.where(mel_values < _MEL_BREAK, mel_values * _MEL_HZ, log_part)


def mel_frequencies(n: int, sample_rate: int) -> Float64:
    """``n`` frequencies from 0 Hz to Nyquist, evenly spaced in mel."""
    top = hz_to_mel(np.array([sample_rate / 2.0]))[0]
    return mel_to_hz(np.linspace(0.0, top, n))


@lru_cache(maxsize=4)
def mel(sample_rate: int, n_fft: int, n_mels: int) -> Float32:
    """Triangular mel filters of equal area (n_mels, 1 + n_fft // 2), as librosa's defaults."""
    bins = np.linspace(0.0, sample_rate / 2.0, 1 + n_fft // 2)
    edges = mel_frequencies(n_mels + 2, sample_rate)
    widths = np.diff(edges)
    ramps = edges[:, np.newaxis] - bins
    rising = -ramps[:-2] / widths[:-1, np.newaxis]
    falling = ramps[2:] / widths[1:, np.newaxis]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights *= (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return np.asarray(weights, np.float32)


@lru_cache(maxsize=128)
def chroma(sample_rate: int, n_fft: int, tuning: float) -> Float32:
    """Pitch-class filters (12, 1 + n_fft // 2) from C, as librosa's defaults.

    Gaussians of a semitone (of an FFT bin where that is wider), each bin's weights of unit length, octaves
    weighted by a Gaussian of two octaves around 880 Hz (Ellis, Chroma feature analysis and synthesis, 2007).
    """
    reference = 440.0 * 2.0 ** (tuning / 12.0) / 16.0
    octaves = np.log2(np.linspace(0.0, sample_rate, n_fft, endpoint=False)[1:] / reference)
    pitch = 12.0 * octaves
    pitch = np.concatenate(([pitch[0] - 18.0], pitch))
    widths = np.concatenate((np.maximum(np.diff(pitch), 1.0), [1.0]))
    distance = np.remainder(pitch - np.arange(12.0)[:, np.newaxis] + 126.0, 12.0) - 6.0
    weights = np.exp(-0.5 * (2.0 * distance / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((pitch / 12.0 - 5.0) / 2.0) ** 2)
    return np.asarray(np.roll(weights, -3, axis=0)[:, : 1 + n_fft // 2], np.float32)


@lru_cache(maxsize=4)
def dct(n_coefficients: int, n: int) -> Float32:
    """First rows of the orthonormal DCT-II (n_coefficients, n)."""
    k = np.arange(n_coefficients)[:, np.newaxis]
    basis = np.cos(np.pi * k * (2.0 * np.arange(n) + 1.0) / (2.0 * n)) * np.sqrt(2.0 / n)
    basis[0] /= np.sqrt(2.0)
    return np.asarray(basis, np.float32)


@lru_cache(maxsize=4)
def hann(n: int) -> Float32:
    """The periodic Hann window (n,), whose shifts by a quarter of its length add up evenly."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n), np.float32)


@lru_cache(maxsize=4)
def bands(sample_rate: int, n_fft: int, lowest: float = 40.0) -> tuple[npt.NDArray[np.intp], Float32]:
    """Split the bins above ``lowest`` hertz into bands of 1/36 octave, at least one bin each.

    Returns
    -------
    starts : ndarray (n_bands,) int
        First bin of each band; a band ends where the next begins, the last at Nyquist.
    centres : ndarray (n_bands,) float32
        Geometric centre of each band in hertz.
    """
    width = sample_rate / n_fft
    first = round(lowest / width)
    edges = lowest * 2.0 ** (np.arange(0.0, np.log2(sample_rate / 2.0 / lowest), 1.0 / 36.0))
    starts = np.unique(np.maximum(np.round(edges / width).astype(np.intp), first))
    ends = np.append(starts[1:], 1 + n_fft // 2) - 1
    return starts, (np.sqrt(starts * ends) * width).astype(np.float32)
