"""Analyse one audio file: everything that the platform shows of a track, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from classifier.core import pictures
from classifier.core.audio import DEFAULT_LIMITS, AudioInfo, AudioLimits, Decode, decode
from classifier.core.chroma import DESCRIPTOR_VERSION, descriptor
from classifier.core.features import DEFAULT_PARAMS, FeatureParams, extract
from classifier.core.fingerprint import words_of
from classifier.core.loudness import Loudness
from classifier.core.pictures import Picture
from classifier.core.tempo import Tempo, tempo_of
from classifier.core.timbre import timbre

if TYPE_CHECKING:
    from classifier.core.inference import Classifier
    from classifier.core.prediction import Prediction, TrackTags

FINGERPRINT_WORDS = 773
"""One minute from the middle of a track."""

Step = Literal["decode", "features", "classify", "pictures"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackAnalysis:
    """Results of one analysis.

    Attributes
    ----------
    info : AudioInfo
    prediction : Prediction
    descriptor : ndarray (DESCRIPTOR_SIZE,) float32
        Unit vector for Euclidean k-NN.
    timbre : ndarray (TIMBRE_SIZE,) float32
    tempo : Tempo or None
    loudness : Loudness or None
    fingerprint : ndarray (n_words,) int32
        By which another encoding or cut is found; at most FINGERPRINT_WORDS.
    peaks : ndarray (n, 2) int8
        Minimum and maximum of each slice of the waveform, scaled so that the largest magnitude is 127.
    pictures : dict of str to Picture
        ``spectrogram``, ``mel``, ``chroma``, ``mfcc``.
    feature_version, descriptor_version : str
    timings : dict of str to float
        Seconds per step.
    """

    info: AudioInfo
    prediction: Prediction
    descriptor: npt.NDArray[np.float32]
    timbre: npt.NDArray[np.float32]
    tempo: Tempo | None
    loudness: Loudness | None
    fingerprint: npt.NDArray[np.int32]
    peaks: npt.NDArray[np.int8]
    pictures: dict[str, Picture]
    feature_version: str
    descriptor_version: str
    timings: dict[str, float]


def analyse(
    file: BinaryIO,
    *,
    classifier: Classifier,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
    on_step: Callable[[Step], None] | None = None,
    decoder: Decode = decode,
) -> TrackAnalysis:
    """Decode a track, compute its features and descriptor, classify it and draw its pictures.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.
    classifier, limits : Classifier, AudioLimits
    params : FeatureParams
        Must equal those that ``classifier`` was trained with.
    on_step : callable, optional
        Called with the name of each step as it begins.
    decoder : callable, optional
        Decodes in place of `audio.decode`, in another process for example.

    Raises
    ------
    AudioError
        If the file is not audio that can be analysed.
    OSError
        If reading the file object fails.
    """
    clock = _Clock(on_step)
    clock.begin("decode")
    audio = decoder(file, limits=limits, loudness=True)
    info, loudness = audio.info, audio.loudness
    clock.begin("features")
    features = extract(audio.samples, params)
    peaks = pictures.waveform_peaks(audio.samples)
    clock.begin("classify")
    tagged = classifier.tag(audio.samples, levelled=True)
    samples = audio.samples if classifier.needs_samples else None
    del audio  # a third of the memory that a long track needs
    prediction = classifier.predict(
        features.mel_power, duration=info.duration, samples=samples, tagged=tagged
    )
    del samples
    clock.begin("pictures")
    return TrackAnalysis(
        info=info,
        prediction=prediction,
        descriptor=descriptor(features.chroma),
        timbre=timbre(features.mfcc),
        tempo=tempo_of(features.mel_power, params),
        loudness=loudness,
        fingerprint=words_of(features.mel_power, most=FINGERPRINT_WORDS),
        peaks=peaks,
        pictures=pictures.draw(features),
        feature_version=params.version,
        descriptor_version=DESCRIPTOR_VERSION,
        timings=clock.end(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification:
    """The prediction for a file, and how much of the file it is about."""

    info: AudioInfo
    prediction: Prediction


def classify(
    file: BinaryIO,
    *,
    classifier: Classifier,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
    decoder: Decode = decode,
) -> Prediction:
    """Classify one track without computing anything else.

    Raises
    ------
    AudioError, OSError
        As for ``analyse``.
    """
    return classify_file(
        file, classifier=classifier, limits=limits, params=params, decoder=decoder
    ).prediction


def classify_file(
    file: BinaryIO,
    *,
    classifier: Classifier,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
    decoder: Decode = decode,
) -> Classification:
    """Classify one track as ``classify`` does, and tell how much of it was decoded.

    Raises
    ------
    AudioError, OSError
        As for ``analyse``.
    """
    audio = decoder(file, limits=limits)
    mel_power = extract(audio.samples, params).mel_power
    prediction = classifier.predict(mel_power, duration=audio.info.duration, samples=audio.samples)
    return Classification(info=audio.info, prediction=prediction)


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """What a sound is compared by, as in `TrackAnalysis`; no tags where there is no tagger."""

    descriptor: npt.NDArray[np.float32]
    descriptor_version: str
    timbre: npt.NDArray[np.float32]
    fingerprint: npt.NDArray[np.int32]
    tags: TrackTags | None


def describe_file(
    file: BinaryIO,
    *,
    classifier: Classifier,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
    decoder: Decode = decode,
) -> Description:
    """Compute what similar tracks are found by, the same as ``analyse`` does.

    Raises
    ------
    AudioError, OSError
        As for ``analyse``.
    """
    audio = decoder(file, limits=limits)
    features = extract(audio.samples, params)
    samples = audio.samples
    prediction = classifier.predict(
        features.mel_power,
        duration=audio.info.duration,
        samples=samples,
        tagged=classifier.tag(samples, levelled=True),
    )
    return Description(
        descriptor=descriptor(features.chroma),
        descriptor_version=DESCRIPTOR_VERSION,
        timbre=timbre(features.mfcc),
        fingerprint=words_of(features.mel_power, most=FINGERPRINT_WORDS),
        tags=prediction.tags,
    )


class _Clock:
    def __init__(self, on_step: Callable[[Step], None] | None) -> None:
        self._on_step = on_step
        self._step: Step | None = None
        self._since = 0.0
        self._timings: dict[str, float] = {}

    def begin(self, step: Step) -> None:
        self.end()
        if self._on_step is not None:
            self._on_step(step)
        self._step, self._since = step, time.perf_counter()

    def end(self) -> dict[str, float]:
        if self._step is not None:
            self._timings[self._step] = time.perf_counter() - self._since
            self._step = None
        return self._timings
