"""Resampling of stretches of a track to the tagger's rate."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

TAGGER_RATE: Final = 16_000
_PHASE_TAPS = 32
_KAISER_BETA = 9.0
_CUTOFF = 0.955


def resampled(samples: FloatArray, sample_rate: int, begin: int, end: int) -> FloatArray:
    """Samples `begin` to `end` at TAGGER_RATE, zero beyond the ends of the track."""
    if sample_rate == TAGGER_RATE:
        return _slice(samples, begin, end)
    basis, up, down = _resampling(sample_rate)
    first, last = begin // up, -(-end // up)
    taps = basis.shape[0] - down
    part = _slice(samples, first * down - taps // 2, last * down + taps - taps // 2)
    blocks = np.lib.stride_tricks.sliding_window_view(part, basis.shape[0])[::down]
    out = (np.ascontiguousarray(blocks) @ basis).reshape(-1)
    return out[begin - first * up : end - first * up]


def _slice(samples: FloatArray, begin: int, end: int) -> FloatArray:
    part = samples[max(begin, 0) : max(min(end, samples.size), 0)]
    if part.size == end - begin:
        return part
    padded = np.zeros(end - begin, np.float32)
    offset = max(-begin, 0)
    padded[offset : offset + part.size] = part
    return padded


@lru_cache(maxsize=2)
def _resampling(sample_rate: int) -> tuple[FloatArray, int, int]:
    """A matrix (down + taps, up) that gives `up` samples at TAGGER_RATE of `down` and their surroundings.

    Each column is a low-pass filter, a sinc under a Kaiser window (Smith, Digital Audio Resampling, 2002),
    centred where its sample lies.
    """
    common = math.gcd(sample_rate, TAGGER_RATE)
    up, down = TAGGER_RATE // common, sample_rate // common
    ratio = up / down
    half = math.ceil(_PHASE_TAPS / ratio)
    taps = 2 * half
    place = np.arange(up) / ratio + half
    offset = np.arange(down + taps)[:, np.newaxis] - place
    cutoff = _CUTOFF * ratio
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(1.0 - (offset / half) ** 2, 0.0))) / np.i0(_KAISER_BETA)
    basis = np.where(np.abs(offset) <= half, cutoff * np.sinc(cutoff * offset) * window, 0.0)
    return basis.astype(np.float32), up, down
