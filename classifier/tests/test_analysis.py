"""One call from a file to everything the platform shows of it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier.core.analysis import TrackAnalysis, analyse, classify
from classifier.core.audio import AudioError, AudioLimits, decode
from classifier.core.chroma import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from classifier.core.features import FeatureParams
from classifier.core.inference import Classifier
from classifier.releases import current_release
from classifier.tests import sounds

SHARED = sounds.shared_data()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(current_release())


@pytest.fixture(scope="module")
def analysis(classifier: Classifier) -> TrackAnalysis:
    return analyse(io.BytesIO(sounds.encode(sounds.tune(12.0), "mp3")), classifier=classifier)


@pytest.mark.slow
def test_everything_is_there(analysis: TrackAnalysis, classifier: Classifier) -> None:
    assert analysis.info.codec == "mp3"
    assert analysis.info.duration == pytest.approx(12.0, abs=0.06)
    assert set(analysis.prediction.probabilities) == set(classifier.labels)
    assert sum(analysis.prediction.probabilities.values()) == pytest.approx(1.0)
    assert analysis.prediction.timeline[0].start == 0.0
    assert analysis.prediction.timeline[-1].end == pytest.approx(analysis.info.duration)
    assert analysis.descriptor.shape == (DESCRIPTOR_SIZE,)
    assert analysis.peaks.shape == (1200, 2)
    assert np.abs(analysis.peaks).max() == 127
    assert set(analysis.pictures) == {"spectrogram", "mel", "chroma", "mfcc"}
    assert analysis.feature_version == FeatureParams().version
    assert analysis.descriptor_version == DESCRIPTOR_VERSION
    assert set(analysis.timings) == {"decode", "features", "classify", "pictures"}
    assert all(seconds > 0 for seconds in analysis.timings.values())


def test_steps_are_told_as_they_begin(classifier: Classifier) -> None:
    told: list[str] = []
    analyse(io.BytesIO(sounds.encode(sounds.tune(2.0))), classifier=classifier, on_step=told.append)
    assert told == ["decode", "features", "classify", "pictures"]


def test_a_file_that_cannot_be_read_stops_at_its_first_step(classifier: Classifier) -> None:
    told: list[str] = []
    with pytest.raises(AudioError) as caught:
        analyse(io.BytesIO(b"words" * 100), classifier=classifier, on_step=told.append)
    assert caught.value.code == "not_audio"
    assert told == ["decode"]


@pytest.mark.slow
def test_classify_is_the_same_verdict(analysis: TrackAnalysis, classifier: Classifier) -> None:
    data = sounds.encode(sounds.tune(12.0), "mp3")

    prediction = classify(io.BytesIO(data), classifier=classifier)

    assert prediction.probabilities == analysis.prediction.probabilities


def test_limits_are_kept(classifier: Classifier) -> None:
    data = sounds.encode(sounds.tune(4.0))
    for call in (analyse, classify):
        with pytest.raises(AudioError) as caught:
            call(io.BytesIO(data), classifier=classifier, limits=AudioLimits(max_duration=2.0))
        assert caught.value.code == "too_long"


@pytest.mark.parametrize("sound", [sounds.silence(4.0), sounds.sine(1000.0, 4.0)], ids=["silence", "sine"])
def test_what_is_no_music_is_never_a_confident_genre(classifier: Classifier, sound: sounds.Float32) -> None:
    result = analyse(io.BytesIO(sounds.encode(sound)), classifier=classifier)

    assert result.prediction.unsure
    assert np.isfinite(result.descriptor).all()


@pytest.mark.skipif(SHARED is None, reason="needs the shared music (GENREWEB_SHARED)")
@pytest.mark.slow
def test_the_same_song_in_other_files_gets_the_same_verdict(classifier: Classifier) -> None:
    assert SHARED is not None
    for path in sorted((SHARED / "lossless").glob("*.flac"))[:4]:
        with path.open("rb") as file:
            mono = decode(file).samples[: 12 * sounds.RATE]
        whole = analyse(io.BytesIO(sounds.encode(mono, "flac")), classifier=classifier)
        stereo = np.stack((mono, mono))
        for data in (
            sounds.encode(mono, "mp3"),
            sounds.encode(mono * np.float32(0.1), "wav32"),
            sounds.encode(stereo, "wav16", rate=22050, layout="stereo"),
        ):
            other = analyse(io.BytesIO(data), classifier=classifier)
            label = max(whole.prediction.probabilities, key=whole.prediction.probabilities.__getitem__)
            assert other.prediction.probabilities[label] == pytest.approx(
                whole.prediction.probabilities[label], abs=0.15
            )
            assert np.linalg.norm(other.descriptor - whole.descriptor) < 0.1


MEMORY = """
import sys
from pathlib import Path
from classifier.core.analysis import analyse
from classifier.core.inference import Classifier
from classifier.releases import current_release
classifier = Classifier.load(current_release())
with open(sys.argv[1], "rb") as file:
    analysis = analyse(file, classifier=classifier)
unwanted = ("django", "tensorflow", "keras", "librosa", "scipy", "matplotlib")
loaded = [name for name in unwanted if name in sys.modules]
status = Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
print(round(analysis.info.duration), peak // 1024, *loaded)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_twenty_minutes_fit_in_little_memory_and_need_no_framework(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(sounds.encode(np.tile(sounds.tune(10.0), 119), "flac"))

    finished = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True, timeout=300
    )

    duration, peak, *loaded = finished.stdout.split()
    assert int(duration) == 1190
    assert int(peak) < 320
    assert loaded == []
