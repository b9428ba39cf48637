"""Make music in a noisy recording easier to recognise: less steady noise, an even spectrum, a usual level.

It is for recordings through a microphone. Clean music does not need it, and the networks know the spectrum of
clean music: see `classifier.core.recordings` for when it is used.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters

FloatArray = NDArray[np.float32]
Float64 = NDArray[np.float64]

N_FFT: Final = 1024
HOP_LENGTH: Final = 256
SMOOTHED_FRAMES: Final = 5
NOISE_QUANTILE: Final = 0.1
NOISE_BIAS: Final = 1.6
"""A low quantile of the smoothed power lies under the noise's mean by about this factor."""
OVERSUBTRACTION: Final = 1.5
LEAST_GAIN: Final = 0.02
MOST_EQUALISED_DB: Final = 12.0
LEVEL_DB: Final = -18.0

_LEVEL_BAND_HZ: Final = (430.0, 5170.0)
_SMOOTHED_BINS: Final = 17
_BLOCK_FRAMES: Final = 4096
_MUSIC_HZ: Final = (60, 120, 250, 500, 1000, 2000, 3000, 4000, 5500, 7500, 9500)
_MUSIC_DB: Final = (6.5, 8.6, 10.6, 6.3, 0.0, -4.5, -7.8, -11.1, -15.7, -19.2, -28.6)
"""The long-term spectrum of recorded music: mean over excerpts of ten genres, relative to 1 kHz."""


def enhance(samples: FloatArray, *, sample_rate: int = 22_050) -> FloatArray:
    """Suppress steady noise, even the long-term spectrum out and set the level.

    The noise of each frequency is a low quantile over time of its smoothed power, as in minimum statistics
    (Martin, IEEE Trans. Speech and Audio Processing 9(5), 2001), taken off by a Wiener filter. Then each
    frequency gets the gain, at most `MOST_EQUALISED_DB`, bringing its mean power to that of recorded music.

    Parameters
    ----------
    samples
        (n_samples,) mono.

    Returns
    -------
    (n_samples,) float32 with a root mean square of `LEVEL_DB`, clipped at full scale; silence stays silent.
    """
    if not samples.size or not np.any(samples):
        return np.zeros_like(samples, dtype=np.float32)
    frames = _frames(samples.astype(np.float32))
    window = filters.hann(N_FFT)
    power = np.concatenate(
        [_power(frames[i : i + _BLOCK_FRAMES], window) for i in range(0, len(frames), _BLOCK_FRAMES)]
    )
    smooth = _moving_mean(power)
    noise = NOISE_BIAS * np.quantile(smooth, NOISE_QUANTILE, axis=0)
    gain = np.sqrt(np.maximum(1.0 - OVERSUBTRACTION * noise / np.maximum(smooth, 1e-15), LEAST_GAIN))
    del smooth
    gain *= np.power(10.0, _equalisation_db((power * gain**2).mean(axis=0), sample_rate) / 20)
    del power
    sound = _overlap_add(frames, gain.astype(np.float32), window)[: samples.size]
    sound *= 10 ** (LEVEL_DB / 20) / (np.sqrt(np.mean(np.square(sound))) + 1e-9)
    return np.asarray(np.clip(sound, -1.0, 1.0), np.float32)


def _frames(samples: FloatArray) -> FloatArray:
    """Overlapping frames, half a frame of silence before the first sample and enough after the last."""
    count = -(-samples.size // HOP_LENGTH) + N_FFT // HOP_LENGTH
    padded = np.zeros((count - 1) * HOP_LENGTH + N_FFT, np.float32)
    padded[N_FFT // 2 : N_FFT // 2 + samples.size] = samples
    return np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]


def _power(frames: FloatArray, window: NDArray[np.floating[Any]]) -> FloatArray:
    return np.asarray(np.square(np.abs(np.fft.rfft(frames * window, axis=1))), np.float32)


def _moving_mean(power: FloatArray) -> FloatArray:
    """Mean over `SMOOTHED_FRAMES` frames around each, silence beyond the ends."""
    half = SMOOTHED_FRAMES // 2
    total = np.zeros_like(power)
    for shift in range(-half, half + 1):
        into = slice(max(shift, 0), len(power) + min(shift, 0))
        taken = slice(max(-shift, 0), len(power) + min(-shift, 0))
        total[into] += power[taken]
    return total / np.float32(SMOOTHED_FRAMES)


def _equalisation_db(mean_power: NDArray[np.floating[Any]], sample_rate: int) -> Float64:
    """(n_bins,) gains that bring a mean power spectrum to that of recorded music."""
    hertz = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    spectrum = 10 * np.log10(np.maximum(mean_power, mean_power.max() * 1e-9))
    edge = _SMOOTHED_BINS // 2
    kernel = np.full(_SMOOTHED_BINS, 1 / _SMOOTHED_BINS)
    difference = np.interp(hertz, _MUSIC_HZ, _MUSIC_DB) - np.convolve(
        np.pad(spectrum, edge, mode="edge"), kernel, "valid"
    )
    band = (hertz >= _LEVEL_BAND_HZ[0]) & (hertz <= _LEVEL_BAND_HZ[1])
    return np.asarray(np.clip(difference - difference[band].mean(), -MOST_EQUALISED_DB, MOST_EQUALISED_DB))


def _overlap_add(frames: FloatArray, gain: FloatArray, window: NDArray[np.floating[Any]]) -> FloatArray:
    """The sound of the frames after gains by frame and frequency."""
    sound = np.zeros((len(frames) - 1) * HOP_LENGTH + N_FFT, np.float32)
    weight = np.zeros_like(sound)
    square = np.square(window).astype(np.float32)
    for place, frame in enumerate(frames):
        spectrum = np.fft.rfft(frame * window) * gain[place]
        at = slice(place * HOP_LENGTH, place * HOP_LENGTH + N_FFT)
        sound[at] += np.fft.irfft(spectrum).astype(np.float32) * window
        weight[at] += square
    sound /= np.maximum(weight, 1e-3)
    return sound[N_FFT // 2 :]
