"""Every feature of a track from one power STFT, computed in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.core import filters

Float32 = npt.NDArray[np.float32]

# A block of frames and its spectra fit into the processor's cache.
_BLOCK_FRAMES = 128
_TUNING_FRAMES = 128
_PICTURE_COLUMNS = 1600
_AMIN = 1e-10


@dataclass(frozen=True, kw_only=True)
class FeatureParams:
    """Parameters of the features. Everything stored refers to the ``version`` it was made with.

    The defaults are librosa 0.11's for ``melspectrogram`` at 22,050 Hz: centred frames, constant padding,
    periodic Hann window, Slaney's mel scale and area normalisation.
    """

    version: str = "1"
    sample_rate: int = 22050
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    n_mfcc: int = 20
    top_db: float = 80.0


DEFAULT_PARAMS = FeatureParams()


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Features of a track in ``n_frames = 1 + n_samples // hop_length`` frames.

    Attributes
    ----------
    mel_power : ndarray (n_mels, n_frames) float32
        Mel spectrogram, linear power: the classifier's input.
    mfcc : ndarray (n_mfcc, n_frames) float32
        Orthonormal DCT-II of the mel spectrogram in decibels.
    chroma : ndarray (12, n_frames) float32
        Energy of the pitch classes from C in a tuning-corrected filter bank, not normalised.
    rms : ndarray (n_frames,) float32
        Root mean square of each frame's samples.
    spectrogram : ndarray (n_bands, n_columns) float32
        Power in bands of about a third of a semitone or one FFT bin, whichever is wider; the maximum over
        bins and over ``frames_per_column`` frames. For pictures.
    spectrogram_frequencies : ndarray (n_bands,) float32
        Centre of each band in hertz.
    frames_per_column : int
    tuning : float
        Deviation from A4 = 440 Hz in fractions of a semitone, in [-0.5, 0.5).
    duration : float
        Seconds.
    params : FeatureParams
    """

    mel_power: Float32
    mfcc: Float32
    chroma: Float32
    rms: Float32
    spectrogram: Float32
    spectrogram_frequencies: Float32
    frames_per_column: int
    tuning: float
    duration: float
    params: FeatureParams


def extract(samples: Float32, params: FeatureParams = DEFAULT_PARAMS) -> Features:
    """Compute every feature of a track from one short-time Fourier transform.

    Parameters
    ----------
    samples : ndarray (n_samples,) float32
        Mono, at ``params.sample_rate``, at least one sample.
    params : FeatureParams

    Raises
    ------
    ValueError
        If ``samples`` is empty or has more than one dimension.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError("samples must be a non-empty array of one dimension")
    n_frames = 1 + samples.size // params.hop_length
    mel_basis = filters.mel(params.sample_rate, params.n_fft, params.n_mels)
    tuning = _tuning(samples, n_frames, params)
    chroma_basis = filters.chroma(params.sample_rate, params.n_fft, tuning)
    basis = np.concatenate((mel_basis, chroma_basis)).T
    starts, centres = filters.bands(params.sample_rate, params.n_fft)

    pooled = max(1, n_frames // _PICTURE_COLUMNS)
    step = pooled * max(1, _BLOCK_FRAMES // pooled)
    projected = np.empty((params.n_mels + 12, n_frames), np.float32)
    spectrogram = np.empty((starts.size, -(-n_frames // pooled)), np.float32)
    rms = np.empty(n_frames, np.float32)
    for first in range(0, n_frames, step):
        last = min(first + step, n_frames)
        frames = _frames(samples, first, last, params)
        rms[first:last] = np.sqrt(np.einsum("ij,ij->i", frames, frames) / params.n_fft)
        power = _power(frames, params.n_fft)
        projected[:, first:last] = (power @ basis).T
        columns = np.arange(0, last - first, pooled)
        bands = np.maximum.reduceat(power, starts, axis=1)
        if pooled > 1:
            bands = np.maximum.reduceat(bands, columns, axis=0)
        spectrogram[:, first // pooled : first // pooled + columns.size] = bands.T
    mel_power = projected[: params.n_mels]
    return Features(
        mel_power=mel_power,
        mfcc=_mfcc(mel_power, params),
        chroma=projected[params.n_mels :],
        rms=rms,
        spectrogram=spectrogram,
        spectrogram_frequencies=centres,
        frames_per_column=pooled,
        tuning=tuning,
        duration=samples.size / params.sample_rate,
        params=params,
    )


def power_to_db(power: Float32, *, ref: float = 1.0, top_db: float | None = None) -> Float32:
    """Decibels relative to ``ref``, floored at ``top_db`` below the loudest cell (librosa's definition)."""
    db = np.log10(np.maximum(power, np.float32(_AMIN)))
    db *= np.float32(10.0)
    db -= np.float32(10.0 * np.log10(max(_AMIN, ref)))
    if top_db is not None:
        np.maximum(db, db.max() - np.float32(top_db), out=db)
    return db


def _mfcc(mel_power: Float32, params: FeatureParams) -> Float32:
    coefficients: Float32 = filters.dct(params.n_mfcc, params.n_mels) @ power_to_db(
        mel_power, top_db=params.top_db
    )
    return coefficients


def _frames(samples: Float32, first: int, last: int, params: FeatureParams) -> Float32:
    """Frames ``first`` to ``last`` (last - first, n_fft), zero-padded beyond the ends of the track."""
    begin = first * params.hop_length - params.n_fft // 2
    end = begin + (last - first - 1) * params.hop_length + params.n_fft
    part = samples[max(begin, 0) : max(min(end, samples.size), 0)]
    if part.size < end - begin:
        padded = np.zeros(end - begin, np.float32)
        offset = max(-begin, 0)
        padded[offset : offset + part.size] = part
        part = padded
    return np.lib.stride_tricks.sliding_window_view(part, params.n_fft)[:: params.hop_length]


def _power(frames: Float32, n_fft: int) -> Float32:
    spectrum = np.fft.rfft(frames * filters.hann(n_fft), axis=1)
    power: Float32 = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _tuning(samples: Float32, n_frames: int, params: FeatureParams) -> float:
    """Estimate the tuning from a few hundred frames spread evenly over the track.

    The circular mean of the deviation of spectral peaks from the tempered scale. librosa's
    ``estimate_tuning`` takes the same peaks (parabolic interpolation; Smith, Spectral Audio Signal
    Processing, 2011) but the mode of their histogram, which is stable only with every frame.
    """
    chosen = np.unique(np.linspace(0, n_frames - 1, min(n_frames, _TUNING_FRAMES)).astype(int))
    frames = np.concatenate([_frames(samples, i, i + 1, params) for i in chosen])
    low = max(1, int(np.ceil(150.0 * params.n_fft / params.sample_rate)))
    high = int(np.ceil(4000.0 * params.n_fft / params.sample_rate))
    power = _power(frames, params.n_fft)
    centre, left, right = power[:, low:high], power[:, low - 1 : high - 1], power[:, low + 1 : high + 1]
    loud = centre > 0.1 * power.max(axis=1, keepdims=True)
    row, column = np.nonzero(loud & (centre > left) & (centre >= right))
    if row.size == 0:
        return 0.0
    a, b, c = left[row, column], centre[row, column], right[row, column]
    curvature = 2 * b - a - c
    shift = np.where(curvature > 0, 0.5 * (c - a) / np.maximum(curvature, np.float32(1e-30)), 0.0)
    height = b + 0.25 * (c - a) * shift
    strong = height >= np.median(height)
    pitch = (column[strong] + low + shift[strong]) * params.sample_rate / params.n_fft
    turns = np.exp(2j * np.pi * 12.0 * np.log2(pitch / 440.0)).mean()
    deviation = float(np.angle(turns)) / (2.0 * np.pi)
    # Rounded so that filter banks can be cached by tuning.
    return round(deviation, 2) if deviation < 0.495 else -0.5
