"""Equalisation of log-mel patches whose spectrum and level are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core.equalisation import MOST_DB, equalise, missing_bass_db
from classifier.core.tagger_input import FRAME_POWER, N_MELS, PATCH_FRAMES, patches_of
from classifier.tests import sounds

Patches = NDArray[np.float32]


def music(gain: float = 1.0) -> Patches:
    cut = patches_of(np.float32(gain) * sounds.tune(10.0), sample_rate=22_050, treble=True)
    return cut.log_mel


def power(log_mel: Patches) -> NDArray[np.float64]:
    return np.expm1(log_mel.astype(np.float64) * math.log(10)) / 10_000


def filtered(log_mel: Patches, decibels: NDArray[np.float64]) -> Patches:
    louder = power(log_mel) * 10 ** (decibels / 10)
    return np.asarray(np.log1p(10_000 * louder) / math.log(10), np.float32)


@pytest.mark.parametrize("gain", [0.003, 1.0])
def test_the_level_is_set_whatever_it_was(gain: float) -> None:
    made = equalise(music(gain))
    assert made.dtype == np.float32
    assert made.shape == music().shape
    np.testing.assert_allclose(power(made).sum(axis=2).mean(axis=1), FRAME_POWER, rtol=1e-4)


def test_what_a_loudspeaker_took_from_the_spectrum_comes_back() -> None:
    band = np.arange(N_MELS)
    bursts = np.random.default_rng(0).exponential(size=(2, PATCH_FRAMES, N_MELS)) * 10 ** (-band / 40)
    original = np.asarray(np.log1p(10_000 * bursts) / math.log(10), np.float32)
    through = filtered(original, 5 * np.sin(2 * np.pi * band / N_MELS) - 20)

    def apart(a: Patches, b: Patches) -> float:
        return float(np.abs(10 * np.log10(power(a).mean(axis=1) / power(b).mean(axis=1))).mean())

    assert apart(through, original) > 15
    assert apart(equalise(through), equalise(original)) < 0.2


def test_no_band_changes_by_more_than_the_limit() -> None:
    # Nothing but the treble: to even this out fully would take far more.
    steep = np.linspace(-60, 0, N_MELS)
    flat = filtered(music(), steep - 10)
    change = 10 * np.log10(power(equalise(flat)).mean(axis=1) / power(flat).mean(axis=1))
    assert np.ptp(change, axis=1).max() <= 2 * MOST_DB + 1e-3


def test_each_patch_is_evened_out_by_itself() -> None:
    patches = music()
    together = equalise(patches)
    for place in range(len(patches)):
        np.testing.assert_allclose(equalise(patches[place : place + 1])[0], together[place], atol=1e-5)


def test_silence_stays_silent_beside_music() -> None:
    patches = np.concatenate([np.zeros((1, PATCH_FRAMES, N_MELS), np.float32), music()[:1]])
    made = equalise(patches)
    assert not made[0].any()
    assert made[1].any()
    assert np.isfinite(made).all()


def test_missing_bass_is_what_a_small_loudspeaker_takes_away() -> None:
    band = np.arange(N_MELS)
    bursts = np.random.default_rng(0).exponential(size=(2, PATCH_FRAMES, N_MELS)) * 10 ** (-band / 40)
    original = np.asarray(np.log1p(10_000 * bursts) / math.log(10), np.float32)
    whole, thin = (
        missing_bass_db(original),
        missing_bass_db(filtered(original, np.where(band < 14, -6.0, 0.0))),
    )
    assert thin - whole > 5
    softer = missing_bass_db(filtered(original, np.full(N_MELS, -15.0)))
    assert softer == pytest.approx(whole, abs=0.5)
    assert missing_bass_db(np.zeros((2, PATCH_FRAMES, N_MELS), np.float32)) == 0.0
