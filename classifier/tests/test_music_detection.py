"""The detector of music: what its score means, how it is fitted and stored, and what it learns from."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from classifier.core.artifact import ReleaseError
from classifier.core.audio import SAMPLE_RATE
from classifier.core.music_detection import DETECTOR_FILE, DetectionParams, MusicDetector, assess
from classifier.fitting.data.talk import voices
from classifier.fitting.music_detection import (
    DetectorRecipe,
    fit_detector,
    other_sounds,
    quieter_music,
    write_detector,
)

FloatArray = NDArray[np.float32]
FEW = DetectorRecipe(voices=3, crowds=2, synthetic=5, recorded=2)


def rows(place: float, n: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    centred = rng.normal(0, 0.3, (n, 4)) + np.array([place, -place, 0, 0])
    return np.asarray(centred * [1, 100, 1, 0], np.float32)


@pytest.fixture
def detector() -> MusicDetector:
    return fit_detector(rows(1, 200, 0), rows(-1, 20, 1), tagger="v1")


def test_it_tells_music_from_the_rest_whatever_the_units_and_numbers(detector: MusicDetector) -> None:
    assert all(detector.score(row) > 0 for row in rows(1, 50, 2))
    assert all(detector.score(row) < 0 for row in rows(-1, 50, 3))
    middle = detector.probability(np.zeros(4, np.float32))
    assert middle == pytest.approx(0.5, abs=0.15)


def test_it_needs_both(detector: MusicDetector) -> None:
    with pytest.raises(ValueError, match="examples of music"):
        fit_detector(rows(1, 20, 0), rows(1, 0, 0), tagger="v1")
    with pytest.raises(ValueError, match="expected"):
        detector.score(np.zeros(5, np.float32))


def test_what_is_written_is_read(detector: MusicDetector, tmp_path: Path) -> None:
    entry = write_detector(detector, tmp_path, trained_on={"music": 200, "other": 20})
    content = (tmp_path / DETECTOR_FILE).read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    again = MusicDetector.from_bytes(content)
    row = rows(1, 1, 9)[0]
    assert again.score(row) == pytest.approx(detector.score(row))
    assert again.tagger == "v1"
    assert [path.name for path in tmp_path.iterdir()] == [DETECTOR_FILE]


def _npz(**arrays: object) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        _npz(weights=np.ones(3)),
        _npz(weights=np.ones((3, 2)), bias=np.float64(0), metadata=np.array('{"tagger": "v"}')),
        _npz(weights=np.ones(3), bias=np.float64(0), metadata=np.array("[]")),
        _npz(weights=np.ones(3), bias=np.float64(0), metadata=np.array(json.dumps({"tagger": 3}))),
        _npz(weights=np.array([1, np.nan]), bias=np.float64(0), metadata=np.array('{"tagger": "v"}')),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError):
        MusicDetector.from_bytes(content)


def test_what_a_score_means() -> None:
    params = DetectionParams(no_music_below=-1, doubtful_below=0)
    none, drowned, clear = (assess(score, params) for score in (-1.5, -0.5, 0.5))
    assert (none.music, none.reason) == (False, "no_music")
    assert (drowned.music, drowned.reason) == (True, "talk_and_noise")
    assert (clear.music, clear.reason) == (True, None)
    assert none.probability < drowned.probability < 0.5 < clear.probability


@pytest.mark.slow
def test_other_sounds_are_talk_noise_and_what_a_folder_holds(tmp_path: Path) -> None:
    source = tmp_path / "theme"
    source.mkdir()
    beep = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE)
    soundfile.write(source / "beep.wav", beep, SAMPLE_RATE)
    (source / "broken.ogg").write_text("not sound")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "broken.wav").write_text("not sound")
    without = list(other_sounds(np.random.default_rng(1), recipe=FEW))
    sounds = list(other_sounds(np.random.default_rng(1), folder=tmp_path, recipe=FEW))
    assert len(without) == FEW.voices + FEW.crowds + FEW.synthetic
    assert len(sounds) == len(without) + FEW.recorded
    peaks = [20 * np.log10(np.abs(sound).max()) for sound in sounds]
    assert min(peaks) >= -24.1
    assert max(peaks) <= -0.9
    recorded = sounds[FEW.voices + FEW.synthetic]
    spectrum = np.abs(np.fft.rfft(recorded))
    assert np.fft.rfftfreq(recorded.size, 1 / SAMPLE_RATE)[spectrum.argmax()] == pytest.approx(1000, abs=5)


def test_music_is_taken_at_low_levels_too_and_never_from_the_test_part(tmp_path: Path) -> None:
    folder = tmp_path / "audio" / "jazz"
    folder.mkdir(parents=True)
    rows = ["name,genre,filtered_split"]
    for number, part in enumerate(["train", "valid", "test", "train"]):
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
        soundfile.write(folder / f"jazz.0000{number}.wav", tone, SAMPLE_RATE)
        rows.append(f"jazz.0000{number},jazz,{part}")
    (tmp_path / "tracks.csv").write_text("\n".join(rows) + "\n")
    sounds = list(quieter_music(tmp_path, ["jazz"], np.random.default_rng(0), every=1))
    assert len(sounds) == 3
    gains = [20 * np.log10(np.abs(sound).max() / 0.5) for sound in sounds]
    assert all(-34.5 <= gain <= -5.5 for gain in gains)
    assert len({round(gain, 3) for gain in gains}) == 3


def test_voices_differ_and_have_unit_power() -> None:
    made = voices(3, np.random.default_rng(2))
    assert len({len(voice) for voice in made} | {float(voice[:1000].sum()) for voice in made}) > 3
    for voice in made:
        assert np.sqrt(np.mean(voice**2)) == pytest.approx(1, abs=1e-3)
        assert len(voice) > SAMPLE_RATE
