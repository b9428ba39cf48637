"""How strongly sound begins at each moment, and the tempo that follows from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Ellis, Beat tracking by dynamic programming (2007), with librosa's constants.
_WINDOW_SECONDS = 8.0
_LIKELY_BPM = 120.0
_FASTEST_BPM = 320.0
_BLOCK_FRAMES = 256


def onset_strength(mel_db: Float32, *, shift: int) -> Float32:
    """How much louder than a frame before the median mel band is.

    Parameters
    ----------
    mel_db : ndarray (n_mels, n_frames) float32
        Mel spectrogram in decibels.
    shift : int
        Frames by which onsets are moved later, half an analysis window: a centred frame hears an onset early.

    Returns
    -------
    ndarray (n_frames,) float32
        In decibels, zero in the first ``1 + shift`` frames.
    """
    n_frames = mel_db.shape[1]
    strength = np.zeros(n_frames, np.float32)
    begin = 1 + shift
    if n_frames > begin:
        rise = np.ascontiguousarray(np.diff(mel_db[:, : n_frames - shift], axis=1).T)
        np.maximum(rise, np.float32(0.0), out=rise)
        strength[begin:] = np.median(rise, axis=1)
    return strength


def tempo(onsets: Float32, *, frame_rate: float) -> float:
    """The tempo that explains the onsets best, with a preference for 120 beats per minute.

    Mean over time of the autocorrelation of eight seconds around each frame, weighted by a log-normal prior
    of one octave (Ellis, 2007; the autocorrelation tempogram of Grosche, Müller and Kurth, ICASSP 2010), as
    librosa 0.11's ``feature.tempo``, which ``beat_track`` answers with.

    Parameters
    ----------
    onsets : ndarray (n_frames,) float32
        As ``onset_strength`` gives them.
    frame_rate : float
        Frames per second.

    Returns
    -------
    float
        Beats per minute, on the grid of whole frames per beat: 60 ``frame_rate`` / lag. 0.0 where nothing
        ever begins.
    """
    if not onsets.any():
        return 0.0
    length = int(_WINDOW_SECONDS * frame_rate)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    ramped = np.pad(onsets.astype(np.float64), length // 2, mode="linear_ramp")
    frames = np.lib.stride_tricks.sliding_window_view(ramped, length)[: onsets.size]
    # Transforms add up, so the mean needs no inverse transform but the last.
    n_fft = _fft_size(length)
    power = np.zeros(1 + n_fft // 2)
    for first in range(0, len(frames), _BLOCK_FRAMES):
        windowed = frames[first : first + _BLOCK_FRAMES] * window
        energy = np.einsum("ij,ij->i", windowed, windowed)
        spectrum = np.fft.rfft(windowed[energy > 0], n_fft, axis=1)
        power += (1.0 / energy[energy > 0]) @ (np.square(spectrum.real) + np.square(spectrum.imag))
    periodicity = np.fft.irfft(power)[1:length] / onsets.size
    bpm = 60.0 * frame_rate / np.arange(1, length)
    score = np.log1p(1e6 * np.maximum(periodicity, 0.0)) - 0.5 * np.log2(bpm / _LIKELY_BPM) ** 2
    score[bpm >= _FASTEST_BPM] = -np.inf
    return float(bpm[np.argmax(score)])


def _fft_size(length: int) -> int:
    """A power of two or three quarters of one, at least twice ``length``: no wrapping around, and fast."""
    size = 1 << (2 * length - 1).bit_length()
    return size * 3 // 4 if size * 3 // 4 >= 2 * length else size
