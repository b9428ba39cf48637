"""A track as 57 numbers: the columns of ``features_30_sec.csv``, the table that students of GTZAN know.

librosa computes them, except for the median filter of the harmonic and percussive parts (``harmonic.py``).
The table was made with its version 0.7, which treated the ends of a track differently from 0.11, whose
conventions ``features.py`` follows: frames there are filled with the track's mirror image, and harmonic and
percussive parts end at the last whole hop, with zeros up to the track's length.

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

from classifier.core.harmonic import HALF_WINDOW, harmonic_mask

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]

SEGMENT_SECONDS = 3.0

# The table's definitions, whatever the classifier comes to be trained on.
_SAMPLE_RATE = 22050
_N_FFT = 2048
_HOP = 512
_N_MFCC = 20
# Frames at once, so that the intermediate arrays of a long track stay small.
_BLOCK_FRAMES = 1024


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
    tempo                 beats/minute  one number for the whole; 0 where nothing ever begins
    mfcc1 ... mfcc20      dB            mel-frequency cepstral coefficients, the first the loudness
    ===================== ============= =====================================================================

    Everything in librosa's definition: centroid and bandwidth after Klapuri and Davy (Signal processing
    methods for music transcription, 2007), tempo after Ellis (Beat tracking by dynamic programming, 2007).

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
    import librosa  # takes seconds and 200 MB, so only what computes a summary loads it

    samples = np.asarray(samples, np.float32)
    padded = np.pad(samples, _N_FFT // 2, mode="reflect")
    transform = librosa.stft(padded, center=False)
    magnitude = np.abs(transform)
    mel_db, over_time = _spectral(magnitude)
    over_time.insert(1, librosa.feature.rms(y=padded, center=False))
    over_time.append(librosa.feature.zero_crossing_rate(samples))
    values = [number for array in over_time for number in _mean_and_variance(array)]
    harmonic = _harmonic(transform, magnitude)
    values += _mean_and_variance(harmonic, samples.size)
    values += _mean_and_variance(samples[: harmonic.size] - harmonic, samples.size)
    values.append(_tempo(mel_db))
    for coefficients in librosa.feature.mfcc(S=mel_db, n_mfcc=_N_MFCC):
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


def _blocks(n_frames: int) -> Iterator[slice]:
    for first in range(0, n_frames, _BLOCK_FRAMES):
        yield slice(first, min(first + _BLOCK_FRAMES, n_frames))


def _spectral(magnitude: Float32) -> tuple[Float32, list[Float32 | Float64]]:
    """Mel spectrogram in decibels; chroma, centroid, bandwidth and roll-off of (n_bins, n_frames) spectra."""
    import librosa

    blocks = [magnitude[:, block] for block in _blocks(magnitude.shape[1])]
    tuning = _tuning(blocks)
    mel, chroma, centroid, bandwidth, rolloff = [], [], [], [], []
    for block in blocks:
        power = np.square(block)
        mel.append(librosa.feature.melspectrogram(S=power, sr=_SAMPLE_RATE))
        chroma.append(librosa.feature.chroma_stft(S=power, sr=_SAMPLE_RATE, tuning=tuning))
        centroid.append(librosa.feature.spectral_centroid(S=block, sr=_SAMPLE_RATE))
        bandwidth.append(librosa.feature.spectral_bandwidth(S=block, sr=_SAMPLE_RATE, centroid=centroid[-1]))
        rolloff.append(librosa.feature.spectral_rolloff(S=block, sr=_SAMPLE_RATE))
    mel_db: Float32 = librosa.power_to_db(np.concatenate(mel, axis=1))
    return mel_db, [np.concatenate(parts, axis=1) for parts in (chroma, centroid, bandwidth, rolloff)]


def _tuning(blocks: list[Float32]) -> float:
    """Deviation from A4 = 440 Hz in semitones, in [-0.5, 0.5); ``estimate_tuning`` in blocks of frames."""
    import librosa

    pitches, heights = [], []
    for block in blocks:
        pitch, height = librosa.piptrack(S=np.square(block), sr=_SAMPLE_RATE)
        found = pitch > 0
        pitches.append(pitch[found])
        heights.append(height[found])
    pitch, height = np.concatenate(pitches), np.concatenate(heights)
    if pitch.size == 0:  # librosa answers zero as well, but warns
        return 0.0
    return float(librosa.pitch_tuning(pitch[height >= np.median(height)]))


def _harmonic(transform: Complex64, magnitude: Float32) -> Float32:
    """Samples of the harmonic part; ``transform``, (n_bins, n_frames), is overwritten.

    The percussive part is the rest, since the two masks add up to one.
    """
    import librosa

    n_frames = magnitude.shape[1]
    mirrored = np.pad(np.arange(n_frames), HALF_WINDOW, mode="symmetric")
    for block in _blocks(n_frames):
        around = mirrored[block.start : block.stop + 2 * HALF_WINDOW]
        transform[:, block] *= harmonic_mask(np.ascontiguousarray(magnitude[:, around].T)).T
    samples: Float32 = librosa.istft(transform)
    return samples


def _tempo(mel_db: Float32) -> float:
    """Beats per minute; 0.0 where nothing ever begins."""
    import librosa

    onsets = librosa.onset.onset_strength(S=mel_db, sr=_SAMPLE_RATE, aggregate=np.median)
    if not onsets.any():
        return 0.0
    return float(librosa.feature.tempo(onset_envelope=onsets, sr=_SAMPLE_RATE)[0])


def _mean_and_variance(values: Float32 | Float64, n: int | None = None) -> tuple[float, float]:
    """Mean and variance in double precision; of ``n`` values where those not given are zero."""
    size = n or values.size
    mean = float(values.sum(dtype=np.float64)) / size
    flat = values.reshape(-1)
    square = float(np.einsum("i,i->", flat, flat, dtype=np.float64)) / size
    return mean, max(square - mean * mean, 0.0)
