"""The baseline implementation, as in tutorials: one library call per feature, each with its own STFT."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.core import patches
from classifier.core.inference import Classifier
from classifier.core.networks import load
from classifier.releases import current_release


class PlainImplementation:
    """librosa for decoding and features, matplotlib for the picture, Keras ``predict`` for the prediction."""

    def __init__(self) -> None:
        self._network: Any = load(current_release())
        self._params = Classifier.load(current_release()).patch_params

    def analyse(self, data: bytes) -> dict[str, float]:
        """Do a whole analysis and return the seconds of each step."""
        import librosa
        import librosa.display
        import matplotlib.pyplot as plt

        timings = {}
        since = time.perf_counter()

        def lap(step: str) -> None:
            nonlocal since
            now = time.perf_counter()
            timings[step] = now - since
            since = now

        samples, rate = librosa.load(io.BytesIO(data), sr=22050, mono=True)
        lap("decode")
        mel_power = librosa.feature.melspectrogram(y=samples, sr=rate)
        librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=20)
        librosa.feature.chroma_stft(y=samples, sr=rate)
        lap("features")
        cut = patches.from_power(mel_power, self._params)
        self._network.predict(cut.inputs[..., np.newaxis], verbose=0)
        lap("classify")
        figure, axes = plt.subplots(figsize=(16, 2.56), dpi=100)
        librosa.display.specshow(
            librosa.amplitude_to_db(np.abs(librosa.stft(samples)), ref=np.max),
            sr=rate,
            x_axis="time",
            y_axis="log",
            ax=axes,
        )
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)
        lap("pictures")
        return timings


def summarise(samples: npt.NDArray[np.float32]) -> list[float]:
    """Compute the 57 summary features as the notebooks of GTZAN's feature table do."""
    import librosa

    harmonic, percussive = librosa.effects.hpss(samples)
    tempo, _ = librosa.beat.beat_track(y=samples)
    over_time = [
        librosa.feature.chroma_stft(y=samples),
        librosa.feature.rms(y=samples),
        librosa.feature.spectral_centroid(y=samples),
        librosa.feature.spectral_bandwidth(y=samples),
        librosa.feature.spectral_rolloff(y=samples),
        librosa.feature.zero_crossing_rate(samples),
        harmonic,
        percussive,
        *librosa.feature.mfcc(y=samples),
    ]
    return [float(np.mean(tempo)), *(float(f(array)) for array in over_time for f in (np.mean, np.var))]
