"""What does not belong to the music does not change the answer: real clips in other files and other ways."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifier.core.analysis import classify
from classifier.core.audio import decode
from classifier.core.inference import Classifier, Prediction
from classifier.releases import current_release
from classifier.tests import sounds
from classifier.tests.sounds import Float32

Change = Callable[[Float32], bytes]


def both_sides(sound: Float32) -> Float32:
    """The same sound on two channels, at a rate of its own."""
    return np.stack((sound, sound))


CHANGES: dict[str, Change] = {
    "30 dB softer": lambda sound: sounds.encode(sound * np.float32(10**-1.5), "wav32"),
    "6 dB louder, in floating point": lambda sound: sounds.encode(sound * np.float32(2), "wav32"),
    "48 kHz": lambda sound: sounds.encode(sound, "flac", rate=48000),
    "192 kHz": lambda sound: sounds.encode(sound, "wav64"),
    "stereo": lambda sound: sounds.encode(both_sides(sound), "wav16", rate=22050, layout="stereo"),
    "MP3": lambda sound: sounds.encode(sound, "mp3"),
    "AAC": lambda sound: sounds.encode(sound, "m4a"),
    "Vorbis": lambda sound: sounds.encode(sound, "vorbis"),
    "Opus in WebM": lambda sound: sounds.encode(sound, "webm"),
    "three seconds of silence first": lambda sound: sounds.encode(
        np.concatenate((sounds.silence(3.0), sound)), "flac"
    ),
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(current_release())


@pytest.fixture(scope="module")
def songs(gtzan: Path, classifier: Classifier) -> list[tuple[Float32, Prediction]]:
    files = sorted((gtzan / "lossless").glob("*.flac"))[::2]
    heard = []
    for path in files:
        song = path.read_bytes()
        heard.append((decode(io.BytesIO(song)).samples, classify(io.BytesIO(song), classifier=classifier)))
    return heard


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_real_songs_keep_their_verdict(
    name: str, songs: list[tuple[Float32, Prediction]], classifier: Classifier
) -> None:
    for sound, before in songs:
        after = classify(io.BytesIO(CHANGES[name](sound)), classifier=classifier)
        label = max(before.probabilities, key=before.probabilities.__getitem__)
        assert after.music
        assert after.probabilities[label] == pytest.approx(before.probabilities[label], abs=0.15)
        if before.confidence > 0.6:
            assert after.label == before.label
