"""Which pieces of a recording become clips, and what is computed for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from classifier import decoding, summaries
from classifier.core import fingerprint, tagger
from classifier.core.audio import SAMPLE_RATE, AudioLimits
from classifier.core.features import extract
from classifier.core.patches import PatchParams, columns_db
from classifier.core.verdict import pool_tags
from training.services.clips import LEAST_SECONDS, MOST_SECONDS
from training.services.features import ClipFeatures, quantise

if TYPE_CHECKING:
    from classifier.core.fingerprint import Query
    from classifier.core.inference import Classifier, Prediction
    from classifier.core.prediction import TrackTags

FloatArray = NDArray[np.float32]

# The rest after the last whole piece becomes a piece of its own if it is at least this long.
_REMAINDER_SECONDS = 10.0
MOST_PIECES = 10
"""Limit per recording, so that a long one does not dominate its genre; they are spread evenly over it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a recording, in seconds from its beginning."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def of(self, samples: FloatArray) -> FloatArray:
        """Cut the piece out of (n,) samples."""
        return samples[round(self.start * SAMPLE_RATE) : round(self.end * SAMPLE_RATE)]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPiece:
    """One piece, as it is kept.

    Attributes
    ----------
    sound
        MP3, without the metadata of the original file.
    query
        Its fingerprint, to search for duplicates among the clips and in the test set.
    prediction
        None if no classifier is in service.
    tags
        None if no tagger is installed.
    """

    span: Span
    sound: bytes
    features: ClipFeatures
    query: Query
    prediction: Prediction | None
    tags: TrackTags | None


def divide(duration: float) -> list[Span]:
    """Divide a recording into pieces of 30 s; from a long one, take ten that are spread over it evenly."""
    count = int(duration // MOST_SECONDS)
    if count >= MOST_PIECES:
        starts = np.linspace(0.0, duration - MOST_SECONDS, MOST_PIECES).round(3).tolist()
        return [Span(start, start + MOST_SECONDS) for start in starts]
    pieces = [Span(place * MOST_SECONDS, (place + 1) * MOST_SECONDS) for place in range(count)]
    remainder = duration - count * MOST_SECONDS
    if remainder >= _REMAINDER_SECONDS or not pieces:
        pieces.append(Span(count * MOST_SECONDS, round(duration, 3)))
    return pieces


def prepare_piece(
    samples: FloatArray, span: Span, *, file: BinaryIO, classifier: Classifier | None, limits: AudioLimits
) -> PreparedPiece | None:
    """Compute everything that is stored for one piece; None if it contains hardly any sound.

    Parameters
    ----------
    samples
        (n,) of the whole recording, at 22,050 Hz.
    file
        The original file, from which the sound to play is encoded.
    """
    part = span.of(samples)
    mel_power = extract(part).mel_power
    if _sounding_seconds(mel_power) < min(LEAST_SECONDS, span.seconds / 2):
        return None
    installed = tagger.installed()
    output = installed.tag(part) if installed else None
    prediction = None
    if classifier is not None:
        tagged = output if classifier.uses_tagger else None
        prediction = classifier.predict(mel_power, duration=span.seconds, samples=part, tagged=tagged)
    return PreparedPiece(
        span=span,
        sound=decoding.shared.encode_playback(file, limits=limits, start=span.start, end=span.end),
        features=quantise(columns_db(mel_power, _PARAMS), summaries.shared.summarise(part)),
        query=fingerprint.from_power(mel_power, _PARAMS),
        prediction=prediction,
        tags=pool_tags(output, version=installed.version) if installed and output else None,
    )


_PARAMS = PatchParams()


# Frames this far below the loudest one are treated as pauses.
_PAUSE_DB = -60.0


def _sounding_seconds(mel_power: FloatArray) -> float:
    """Count the seconds that are not silent."""
    loudest = mel_power.max(axis=0)
    silent = max(10 ** (_PARAMS.silence_db / 10), float(loudest.max()) * 10 ** (_PAUSE_DB / 10))
    return float((loudest >= silent).sum() * _PARAMS.hop_length / _PARAMS.sample_rate)
