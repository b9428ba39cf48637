"""One power STFT, block by block, feeds every feature of a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FeatureParams:
    """How sound becomes numbers. Everything stored names the ``version`` it was made with.

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What ``extract`` hears in ``n_frames = 1 + n_samples // hop_length`` frames.

    Attributes
    ----------
    mel_power : ndarray (n_mels, n_frames) float32
        Mel spectrogram, linear power: the classifier's input.
    mfcc : ndarray (n_mfcc, n_frames) float32
    chroma : ndarray (12, n_frames) float32
        Pitch classes from C, each frame's maximum is 1 (0 for silence).
    rms : ndarray (n_frames,) float32
        Root mean square of each frame's samples.
    spectrogram : ndarray (n_bands, n_columns) float32
        Power on a logarithmic frequency axis, maximum-pooled in time, for pictures.
    spectrogram_frequencies : ndarray (n_bands,) float32
        Centre of each band in hertz.
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
    tuning: float
    duration: float
    params: FeatureParams


def extract(samples: Float32, params: FeatureParams = FeatureParams()) -> Features:
    """Compute every feature of a track from one short-time Fourier transform."""
    raise NotImplementedError
