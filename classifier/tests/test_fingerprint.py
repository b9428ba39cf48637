"""The same recording is known again whatever was done to it, and no other one is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from classifier import testset
from classifier.core import dataset, fingerprint
from classifier.core.audio import decode
from classifier.core.features import extract
from classifier.core.fingerprint import Query, best_match, compare
from classifier.core.patches import PatchParams, columns_db
from classifier.tests import sounds

DATA = sounds.shared_data()
RATE = 22050
needs_data = pytest.mark.skipif(DATA is None, reason="needs the shared music (GENREWEB_SHARED)")


def piece(seed: int, seconds: float = 14.0) -> np.ndarray:
    """Make a recording: notes of many lengths with overtones, over a little noise."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.002, round(RATE * seconds))
    for _ in range(round(seconds * 8)):
        length = round(RATE * rng.uniform(0.15, 0.9))
        start = int(rng.integers(0, max(samples.size - length, 1)))
        time = np.arange(length) / RATE
        pitch = 110 * 2 ** (rng.integers(0, 48) / 12)
        tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 7))
        samples[start : start + length] += 0.1 * tone * np.exp(-3 * time)
    return samples.astype(np.float32)


def query(samples: np.ndarray) -> Query:
    return fingerprint.from_power(extract(samples).mel_power)


def stored(samples: np.ndarray) -> np.ndarray:
    return query(samples).stored


def recoded(samples: np.ndarray, codec: str, container: str) -> np.ndarray:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast(av.AudioStream, out.add_stream(codec, rate=44100, layout="mono"))
        stream.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, "mono", 44100, frame_size=stream.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    return decode(file).samples


ORIGINAL = piece(1)
CUT = ORIGINAL[31_307 : 31_307 + 8 * RATE]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ORIGINAL, id="the same"),
        pytest.param(CUT, id="a cut from between two frames"),
        pytest.param(CUT[: 3 * RATE], id="three seconds"),
        pytest.param(CUT * 0.1, id="20 dB softer"),
        pytest.param(recoded(CUT, "libmp3lame", "mp3"), id="MP3"),
        pytest.param(recoded(CUT, "aac", "adts"), id="AAC"),
        pytest.param(np.concatenate([np.zeros(RATE, np.float32), CUT]), id="a pause before it"),
    ],
)
def test_the_same_recording_is_known_again(other: np.ndarray) -> None:
    words, asked = stored(ORIGINAL), query(other)
    match = best_match(asked, words)
    assert match.same
    assert match.agreement > 0.5
    assert np.isin(words, asked.keys).any()


def test_a_match_says_where_the_cut_lies() -> None:
    match = best_match(query(CUT), stored(ORIGINAL))
    assert match.lag * PatchParams().column_seconds == pytest.approx(-31_307 / RATE, abs=0.08)


@pytest.mark.slow
def test_other_recordings_are_others() -> None:
    words = [stored(piece(seed)) for seed in range(2, 12)]
    asked = query(ORIGINAL)
    matches = [best_match(asked, each) for each in words]
    assert not any(match.same for match in matches)
    assert max(match.evidence for match in matches) < fingerprint.LEAST_EVIDENCE


def test_columns_alone_are_enough() -> None:
    columns = columns_db(extract(ORIGINAL).mel_power, PatchParams())
    asked = fingerprint.from_columns(columns - 40)
    assert best_match(asked, stored(ORIGINAL)).agreement > 0.95


@pytest.mark.parametrize("seconds", [0.05, 0.5, 1.0])
def test_what_is_too_short_is_like_nothing(seconds: float) -> None:
    short = query(ORIGINAL[: round(RATE * seconds)])
    assert not best_match(short, stored(ORIGINAL)).same


def test_silence_is_like_nothing() -> None:
    silent = query(np.zeros(10 * RATE, np.float32))
    assert silent.keys.size == 0
    assert np.isfinite(compare(silent.stored, stored(ORIGINAL)).evidence)


@pytest.mark.slow
def test_a_set_finds_what_it_holds(tmp_path: Path) -> None:
    names = tuple(f"clip {seed}" for seed in range(1, 6))
    made = testset.FingerprintIndex.of(names, [stored(piece(seed)) for seed in range(1, 6)])
    made.save(tmp_path / "prints.npz")
    read = testset.FingerprintIndex.load(tmp_path / "prints.npz")
    found = read.find(query(CUT))
    assert found is not None
    assert found[0] == "clip 1"
    assert read.find(query(piece(77))) is None
    assert read.find(query(np.zeros(10 * RATE, np.float32))) is None


def test_prints_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    testset.FingerprintIndex.of(("a",), [stored(ORIGINAL)]).save(tmp_path / "prints.npz")
    monkeypatch.setattr(fingerprint, "VERSION", 2)
    with pytest.raises(ValueError, match="fingerprint_test_set"):
        testset.FingerprintIndex.load(tmp_path / "prints.npz")


def test_the_shipped_prints_are_those_of_the_test_set() -> None:
    prints = testset.shipped()
    assert len(prints.names) == 290
    assert len(set(prints.names)) == 290


@needs_data
@pytest.mark.slow
def test_a_test_clip_is_found_in_the_shipped_prints_and_a_training_clip_is_not() -> None:
    assert DATA is not None
    known = {clip.name: clip for clip in dataset.load(DATA).clips}
    inside: list[Path] = []
    outside: list[Path] = []
    for path in sorted((DATA / "audio" / "jazz").glob("*.opus")):
        clip = known.get(path.stem)
        if clip is not None and not clip.repetition_group:
            (inside if clip.part == "test" else outside).append(path)
    for path in inside[:3]:
        with path.open("rb") as file:
            samples = decode(file).samples[100_001:320_001]
        found = testset.shipped().find(query(samples))
        assert found is not None
        assert found[0] == path.stem
    for path in outside[:3]:
        with path.open("rb") as file:
            assert testset.shipped().find(query(decode(file).samples)) is None


@pytest.mark.slow
@needs_data
def test_clips_of_one_recording_are_known_and_the_others_not() -> None:
    assert DATA is not None
    whole = dataset.load(DATA)
    place = {clip.name: row for row, clip in enumerate(whole.clips)}
    words = {
        name: fingerprint.from_columns(whole.db(place[name])).stored
        for name in ("metal.00041", "metal.00062", "jazz.00033", "jazz.00051", "blues.00000")
    }
    assert compare(words["metal.00041"], words["metal.00062"]).same
    assert compare(words["jazz.00033"], words["jazz.00051"]).same
    for other in ("jazz.00033", "blues.00000"):
        assert not compare(words["metal.00041"], words[other]).same
