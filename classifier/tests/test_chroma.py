"""The chroma descriptor: sounds whose answer is known, and real music where it is at hand."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.core.audio import decode
from classifier.core.chroma import DESCRIPTOR_SIZE, descriptor, normalise
from classifier.core.features import extract
from classifier.tests import sounds

SHARED = sounds.shared_data()


def describe(sound: sounds.Float32) -> sounds.Float32:
    return descriptor(extract(sound).chroma)


def distance(first: sounds.Float32, second: sounds.Float32) -> float:
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("transposition", range(12))
def test_a_major_triad_peaks_at_its_three_tones(transposition: int) -> None:
    triad = sounds.chord(*(step + transposition for step in (0, 4, 7)))

    profile = extract(triad).chroma.mean(axis=1)

    expected = {(step + transposition) % 12 for step in (0, 4, 7)}
    assert set(np.argsort(profile)[-3:].tolist()) == expected


def test_transposing_rolls_the_chroma() -> None:
    original = extract(sounds.c_major()).chroma.mean(axis=1)
    transposed = extract(sounds.chord(5, 9, 12)).chroma.mean(axis=1)

    rolled = np.roll(original, 5)
    assert np.corrcoef(rolled, transposed)[0, 1] > 0.98
    assert np.corrcoef(original, transposed)[0, 1] < 0.6


def test_it_is_a_unit_vector_of_the_declared_size() -> None:
    vector = describe(sounds.tune())

    assert vector.shape == (DESCRIPTOR_SIZE,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("gain", [1e-3, 0.1, 10.0])
def test_gain_changes_nothing(gain: float) -> None:
    tune = sounds.tune()

    assert distance(describe(tune), describe(tune * np.float32(gain))) < 1e-3


def test_silence_around_the_music_changes_little() -> None:
    tune = sounds.tune()
    padded = np.concatenate((sounds.silence(5.0), tune, sounds.silence(3.0)))

    assert distance(describe(tune), describe(padded)) < 0.05


def test_length_changes_little_and_other_music_much() -> None:
    tune = sounds.tune(8.0)
    twice = np.concatenate((tune, tune))
    other = sounds.tune(8.0, seed=5)

    assert distance(describe(tune), describe(twice)) < 0.05
    assert distance(describe(tune), describe(other)) > 0.2


@pytest.mark.parametrize("n_frames", [1, 2, 50])
def test_silence_is_a_unit_vector_too(n_frames: int) -> None:
    vector = descriptor(np.zeros((12, n_frames), np.float32))

    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5])
def test_a_few_frames_suffice(n_frames: int) -> None:
    vector = descriptor(np.random.default_rng(0).random((12, n_frames), np.float32))

    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_normalised_frames_peak_at_one_and_silence_stays_silent() -> None:
    chroma = np.random.default_rng(0).random((12, 10), np.float32) + np.float32(0.1)
    chroma[:, 3] *= 1e-9

    frames = normalise(chroma)

    assert frames[:, 3].max() == 0
    assert np.delete(frames, 3, axis=1).max(axis=0) == pytest.approx(1.0)


@pytest.mark.skipif(SHARED is None, reason="needs the shared music (GENREWEB_SHARED)")
@pytest.mark.slow
def test_halves_of_real_clips_find_each_other() -> None:
    assert SHARED is not None
    clips = sorted((SHARED / "audio").glob("*/*.opus"))[::12]
    halves = []
    for path in clips:
        with path.open("rb") as file:
            samples = decode(file).samples
        middle = samples.size // 2
        halves.append((describe(samples[:middle]), describe(samples[middle:])))
    first, second = (np.stack(half) for half in zip(*halves, strict=True))

    nearest = np.linalg.norm(first[:, np.newaxis] - second, axis=2).argmin(axis=1)

    assert len(clips) > 35
    assert (nearest == np.arange(len(clips))).mean() > 0.5
