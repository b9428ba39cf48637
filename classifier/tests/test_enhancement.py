"""Suppression of steady noise and equalisation, on sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core.enhancement import LEVEL_DB, enhance

RATE = 22_050
Samples = NDArray[np.float32]


def notes(seconds: float = 10.0) -> Samples:
    """Single decaying notes with pauses, so that the noise in between can be heard."""
    t = np.arange(int(seconds * RATE)) / RATE
    frequency = 440 * 2 ** (np.array([0, 4, 7, 12])[(t * 2).astype(int) % 4] / 12)
    sound = np.sin(2 * np.pi * np.cumsum(frequency) / RATE) * np.exp(-6 * (t * 2 % 1))
    return np.asarray(0.3 * sound, np.float32)


def correlation(a: Samples, b: Samples) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def band_power(samples: Samples, low: float, high: float) -> float:
    power = np.square(np.abs(np.fft.rfft(samples)))
    hertz = np.fft.rfftfreq(samples.size, 1 / RATE)
    return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())


def test_steady_noise_is_suppressed() -> None:
    clean = notes()
    noise = np.random.default_rng(0).normal(0, np.std(clean), clean.size).astype(np.float32)
    noisy = clean + noise
    better = enhance(noisy)
    assert better.shape == noisy.shape
    assert better.dtype == np.float32
    assert band_power(better, 3000, RATE / 2) < 0.3 * band_power(noisy, 3000, RATE / 2)
    assert correlation(better, clean) > correlation(noisy, clean) + 0.1


def test_clean_notes_stay_what_they_are() -> None:
    clean = notes()
    assert correlation(enhance(clean), clean) > 0.9


@pytest.mark.parametrize("gain", [0.003, 1.0])
def test_the_level_is_set_whatever_it_was(gain: float) -> None:
    result = enhance(np.float32(gain) * notes())
    # Clipping takes a little.
    assert 20 * np.log10(np.std(result)) == pytest.approx(LEVEL_DB, abs=0.5)
    assert np.abs(result).max() <= 1


def test_a_lack_of_bass_is_evened_out() -> None:
    rng = np.random.default_rng(1)
    bursts = np.repeat(rng.random(40) ** 4, RATE // 4)
    spectrum = np.fft.rfft(rng.normal(size=bursts.size) * bursts)
    hertz = np.fft.rfftfreq(bursts.size, 1 / RATE)
    without = np.fft.irfft(spectrum * np.where(hertz < 600, 0.05, 1.0) / np.maximum(hertz, 100), bursts.size)
    thin = np.asarray(without / np.abs(without).max(), np.float32)
    assert band_power(enhance(thin), 100, 500) > 2 * band_power(thin, 100, 500)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(1), np.zeros(50_000), np.ones(1), np.ones(700)])
def test_silence_and_scraps_are_finite(samples: NDArray[np.float64]) -> None:
    result = enhance(samples.astype(np.float32))
    assert result.shape == samples.shape
    assert np.isfinite(result).all()
    assert np.any(result) == np.any(samples)
