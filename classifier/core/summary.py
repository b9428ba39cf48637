"""A track as 57 numbers: the columns of ``features_30_sec.csv``, the table that students of GTZAN know.

The table was made with an older librosa, and this module reproduces it from the same samples without
librosa. These features differ from those of ``features.py``, which follow librosa 0.11, in how the ends of a
track are treated: frames there are filled with the track's mirror image, and harmonic and percussive parts
end at the last whole hop, with zeros up to the track's length.

``harmony_mean`` and ``perceptr_mean`` are means of a waveform, that is, nearly nothing: what little is left
depends on the recorder's offset and on the last few samples, and a lossy copy of a clip changes it by as much
as it is. They are given for the table's sake and say nothing about music; ``harmony_var`` and
``perceptr_var`` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.core import filters
from classifier.core.features import power_to_db
from classifier.core.harmonic import HALF_WINDOW, harmonic_mask
from classifier.core.tempo import onset_strength, tempo

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SEGMENT_SECONDS = 3.0

# The table's definitions, whatever the classifier comes to be trained on.
_SAMPLE_RATE = 22050
_N_FFT = 2048
_HOP = 512
_N_MELS = 128
_N_MFCC = 20
_TOP_DB = 80.0
_ROLLOFF = 0.85
_BLOCK_FRAMES = 256
_TINY = np.finfo(np.float32).tiny


class Tolerance(NamedTuple):
    """How far a column may be from the table's: ``relative`` to its size, or ``absolute`` in its own unit."""

    relative: float
    absolute: float


def _pairs(name: str, mean: Tolerance, variance: Tolerance) -> dict[str, Tolerance]:
    return {f"{name}_mean": mean, f"{name}_var": variance}


_CLOSE = Tolerance(1e-5, 0.0)

# Measured on ten bit-exact clips: mostly 1e-7, the rounding of single precision; the rest is room for other
# processors. Decoding a lossy copy moves the values far more than any of these.
TOLERANCES: dict[str, Tolerance] = {
    **_pairs("chroma_stft", _CLOSE, _CLOSE),
    **_pairs("rms", _CLOSE, _CLOSE),
    **_pairs("spectral_centroid", _CLOSE, _CLOSE),
    **_pairs("spectral_bandwidth", _CLOSE, _CLOSE),
    # One bin, 10.8 Hz, more or less in a few frames whose sum just meets the threshold.
    **_pairs("rolloff", _CLOSE, Tolerance(1e-4, 0.0)),
    **_pairs("zero_crossing_rate", _CLOSE, _CLOSE),
    # The means are next to nothing beside samples in [-1, 1], so only their absolute error means something.
    **_pairs("harmony", Tolerance(0.0, 1e-8), _CLOSE),
    **_pairs("perceptr", Tolerance(0.0, 1e-8), _CLOSE),
    "tempo": _CLOSE,  # the same step of its grid
    # Most coefficients hover around zero.
    **{
        column: tolerance
        for i in range(1, _N_MFCC + 1)
        for column, tolerance in _pairs(f"mfcc{i}", Tolerance(1e-5, 1e-4), _CLOSE).items()
    },
}
"""Every column, in the table's order, with how closely the same samples give the table's value."""

COLUMNS = tuple(TOLERANCES)


def summarise(samples: Float32) -> Float64:
    """Summarise a track, or a piece of one, as means and variances over its frames.

    ===================== ============= =====================================================================
    column                unit          over time
    ===================== ============= =====================================================================
    chroma_stft           1             energy of the pitch classes, each frame scaled to a maximum of 1
    rms                   full scale    root mean square of the samples
    spectral_centroid     Hz            mean of the magnitude spectrum as a distribution over frequency
    spectral_bandwidth    Hz            its standard deviation
    rolloff               Hz            frequency below which 85 % of the magnitudes' sum lies
    zero_crossing_rate    1             share of samples at which the sign changes
    harmony, perceptr     full scale    samples of what sustains and of what strikes (``harmonic.py``)
    tempo                 beats/minute  one number for the whole (``tempo.py``)
    mfcc1 ... mfcc20      dB            mel-frequency cepstral coefficients, the first the loudness
    ===================== ============= =====================================================================

    Centroid and bandwidth after Klapuri and Davy (Signal processing methods for music transcription, 2007),
    everything in librosa's definition.

    Parameters
    ----------
    samples : ndarray (n_samples,) float32
        Mono, at 22,050 Hz, at least one sample.

    Returns
    -------
    ndarray (57,) float64
        In the order of ``COLUMNS``; finite, also for silence. Variances are in the square of the unit.

    Raises
    ------
    ValueError
        If ``samples`` is empty or has more than one dimension.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError("samples must be a non-empty array of one dimension")
    padded = np.pad(np.asarray(samples, np.float32), _N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    heard = _predict(frames, _tuning(frames))
    mel_db = power_to_db(heard.mel_power, top_db=_TOP_DB)
    harmony = _mean_and_variance(heard.harmonic, samples.size)
    # In place: a long track has hardly room for both.
    percussive = np.subtract(samples[: heard.harmonic.size], heard.harmonic, out=heard.harmonic)
    values = [
        *_mean_and_variance(heard.chroma),
        *_mean_and_variance(heard.rms),
        *_mean_and_variance(heard.centroid),
        *_mean_and_variance(heard.bandwidth),
        *_mean_and_variance(heard.rolloff),
        *_mean_and_variance(_zero_crossing_rate(samples)),
        *harmony,
        *_mean_and_variance(percussive, samples.size),
        tempo(onset_strength(mel_db, shift=_N_FFT // (2 * _HOP)), frame_rate=_SAMPLE_RATE / _HOP),
    ]
    for coefficients in filters.dct(_N_MFCC, _N_MELS) @ mel_db:
        values += _mean_and_variance(coefficients)
    return np.array(values)


def segments(samples: Float32) -> Iterator[Float32]:
    """Cut a track into its whole pieces of three seconds, as views; a shorter track is one piece.

    Parameters
    ----------
    samples : ndarray (n_samples,) float32
        Mono, at 22,050 Hz.
    """
    length = int(SEGMENT_SECONDS * _SAMPLE_RATE)
    for first in range(0, max(samples.size - length, 0) + 1, length):
        yield samples[first : first + length]


class _Heard(NamedTuple):
    mel_power: Float32
    chroma: Float32
    rms: Float64
    centroid: Float64
    bandwidth: Float64
    rolloff: Float64
    harmonic: Float32


def _predict(frames: Float32, tuning: float) -> _Heard:
    n_frames = len(frames)
    window = filters.hann(_N_FFT)
    frequencies = np.linspace(0.0, _SAMPLE_RATE / 2.0, 1 + _N_FFT // 2)
    moments = np.stack((np.ones_like(frequencies), frequencies, frequencies**2), axis=1)
    chroma_basis = filters.chroma(_SAMPLE_RATE, _N_FFT, tuning)
    basis = np.concatenate((filters.mel(_SAMPLE_RATE, _N_FFT, _N_MELS), chroma_basis)).T
    projected = np.empty((_N_MELS + 12, n_frames), np.float32)
    rms = np.empty(n_frames)
    centroid = np.empty(n_frames)
    bandwidth = np.empty(n_frames)
    rolloff = np.empty(n_frames)
    harmonic = _OverlapAdd(n_frames, window)
    around = np.pad(np.arange(n_frames), HALF_WINDOW, mode="symmetric")
    for first in range(0, n_frames, _BLOCK_FRAMES):
        last = min(first + _BLOCK_FRAMES, n_frames)
        block = frames[first:last]
        rms[first:last] = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64) / _N_FFT)
        spectrum = np.fft.rfft(frames[around[first : last + 2 * HALF_WINDOW]] * window, axis=1)
        magnitude = np.abs(spectrum)
        inner = magnitude[HALF_WINDOW:-HALF_WINDOW]
        projected[:, first:last] = (np.square(inner) @ basis).T
        centroid[first:last], bandwidth[first:last] = _centroid_and_bandwidth(inner, moments)
        rolloff[first:last] = frequencies[_rolloff_bin(inner)]
        sustained = spectrum[HALF_WINDOW:-HALF_WINDOW] * harmonic_mask(magnitude)
        harmonic.add(first, np.asarray(np.fft.irfft(sustained, axis=1), np.float32))
    chroma = projected[_N_MELS:]
    peak = chroma.max(axis=0)
    chroma /= np.where(peak < _TINY, np.float32(1.0), peak)
    return _Heard(projected[:_N_MELS], chroma, rms, centroid, bandwidth, rolloff, harmonic.samples())


class _OverlapAdd:
    """The samples whose centred frames were changed: Griffin and Lim's least-squares inverse (1984)."""

    def __init__(self, n_frames: int, window: Float32) -> None:
        self._n_frames = n_frames
        self._window = window
        self._per_frame = _N_FFT // _HOP
        self._sum = np.zeros((n_frames + self._per_frame - 1, _HOP), np.float32)

    def add(self, first: int, frames: Float32) -> None:
        last = first + len(frames)
        parts = (frames * self._window).reshape(len(frames), self._per_frame, _HOP)
        for i in range(self._per_frame):
            self._sum[first + i : last + i] += parts[:, i]

    def samples(self) -> Float32:
        """From the first frame's centre to the last one's: ``(n_frames - 1) * hop`` samples."""
        half = self._per_frame // 2
        inner = self._sum[half : len(self._sum) - half]
        squares = np.square(self._window).reshape(self._per_frame, _HOP)
        for first in range(0, len(inner), _BLOCK_FRAMES):
            block = inner[first : first + _BLOCK_FRAMES]
            hops = np.arange(first, first + len(block))[:, np.newaxis] + half
            frames = hops - np.arange(self._per_frame)
            block /= ((frames >= 0) & (frames < self._n_frames)).astype(np.float32) @ squares
        return inner.reshape(-1)


def _centroid_and_bandwidth(magnitude: Float32, moments: Float64) -> tuple[Float64, Float64]:
    total, first, second = (magnitude.astype(np.float64) @ moments).T
    total = np.where(total < _TINY, 1.0, total)
    centroid = first / total
    return centroid, np.sqrt(np.maximum(second / total - centroid**2, 0.0))


def _rolloff_bin(magnitude: Float32) -> npt.NDArray[np.intp]:
    reached = np.cumsum(magnitude, axis=1)
    below = reached < np.float32(_ROLLOFF) * reached[:, -1:]
    bins: npt.NDArray[np.intp] = below.sum(axis=1, dtype=np.intp)
    return bins


def _zero_crossing_rate(samples: Float32) -> Float64:
    negative = np.pad(samples < -1e-10, _N_FFT // 2, mode="edge")
    changes = np.zeros_like(negative)
    np.not_equal(negative[1:], negative[:-1], out=changes[1:])
    n_hops = changes.size // _HOP
    hops = changes[: n_hops * _HOP].reshape(n_hops, _HOP)
    counts = np.lib.stride_tricks.sliding_window_view(hops.sum(axis=1), _N_FFT // _HOP).sum(axis=1)
    # A change at a frame's first sample is one from the sample before the frame.
    rate: Float64 = (counts - hops[: counts.size, 0]) / _N_FFT
    return rate


def _tuning(frames: Float32) -> float:
    """Deviation from A4 = 440 Hz in semitones, in [-0.5, 0.5), from the spectral peaks of every frame.

    The mode of a histogram of the stronger half of the peaks, found by parabolic interpolation (Smith,
    Spectral Audio Signal Processing, 2011), as librosa's ``estimate_tuning``. ``features.py`` has a faster
    estimate; the table's chroma needs this one.
    """
    window = filters.hann(_N_FFT)
    low = int(np.ceil(150.0 * _N_FFT / _SAMPLE_RATE))
    high = int(np.ceil(4000.0 * _N_FFT / _SAMPLE_RATE))
    pitches, heights = [], []
    for first in range(0, len(frames), _BLOCK_FRAMES):
        power = np.square(np.abs(np.fft.rfft(frames[first : first + _BLOCK_FRAMES] * window, axis=1)))
        centre, left, right = power[:, low:high], power[:, low - 1 : high - 1], power[:, low + 1 : high + 1]
        loud = centre > np.float32(0.1) * power.max(axis=1, keepdims=True)
        row, column = np.nonzero(loud & (centre > left) & (centre >= right))
        a, b, c = left[row, column], centre[row, column], right[row, column]
        curvature, slope = a + c - 2 * b, (c - a) / 2
        inside = np.abs(slope) < np.abs(curvature)
        shift = np.where(inside, -slope / np.where(inside, curvature, np.float32(1.0)), np.float32(0.0))
        pitches.append((column + low + shift) * (_SAMPLE_RATE / _N_FFT))
        heights.append(b + 0.5 * slope * shift)
    pitch, height = np.concatenate(pitches), np.concatenate(heights)
    if pitch.size == 0:
        return 0.0
    strong = pitch[height >= np.median(height)]
    residual = np.mod(12.0 * np.log2(strong / 27.5), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _mean_and_variance(values: Float32 | Float64, n: int | None = None) -> tuple[float, float]:
    """Mean and variance in double precision; of ``n`` values where those not given are zero."""
    size = n or values.size
    mean = float(values.sum(dtype=np.float64)) / size
    flat = values.reshape(-1)
    square = float(np.einsum("i,i->", flat, flat, dtype=np.float64)) / size
    return mean, max(square - mean * mean, 0.0)
