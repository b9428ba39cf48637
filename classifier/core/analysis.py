"""From a file to everything the platform shows of it: the one call a worker makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from classifier.core.audio import AudioInfo, AudioLimits
from classifier.core.features import FeatureParams
from classifier.core.pictures import Picture

if TYPE_CHECKING:
    from classifier.core.inference import Classifier, Prediction

Step = Literal["decode", "features", "classify", "pictures"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackAnalysis:
    """Everything one analysis gives.

    Attributes
    ----------
    info : AudioInfo
    prediction : Prediction
    descriptor : ndarray (DESCRIPTOR_SIZE,) float32
        Unit vector for Euclidean k-NN.
    peaks : ndarray (n, 2) int8
        Minimum and maximum of each slice of the waveform, the loudest scaled to 127.
    pictures : dict of str to Picture
        ``spectrogram``, ``mel``, ``chroma``, ``mfcc``.
    feature_version, descriptor_version : str
    timings : dict of str to float
        Seconds per step.
    """

    info: AudioInfo
    prediction: Prediction
    descriptor: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.int8]
    pictures: dict[str, Picture]
    feature_version: str
    descriptor_version: str
    timings: dict[str, float]


def analyse(
    file: BinaryIO,
    *,
    classifier: Classifier,
    limits: AudioLimits = AudioLimits(),
    params: FeatureParams = FeatureParams(),
    on_step: Callable[[Step], None] | None = None,
) -> TrackAnalysis:
    """Decode, describe, classify and draw one track."""
    raise NotImplementedError
