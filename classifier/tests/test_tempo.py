"""The tempo of sounds whose tempo is known."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.core.features import DEFAULT_PARAMS, Float32, extract
from classifier.core.tempo import tempo_of

RATE = DEFAULT_PARAMS.sample_rate


def clicks(bpm: float, seconds: float = 20.0) -> Float32:
    """Short bursts of noise on the beat over faint noise."""
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(int(seconds * RATE)) * 1e-4
    burst = rng.standard_normal(800) * np.exp(-np.arange(800) / 150) * 0.5
    for beat in np.arange(0.1, seconds - 0.1, 60 / bpm):
        place = int(beat * RATE)
        samples[place : place + burst.size] += burst
    return samples.astype(np.float32)


@pytest.mark.parametrize("bpm", [72.0, 90.0, 104.5, 120.0, 133.0, 160.0])
def test_the_tempo_of_clicks(bpm: float) -> None:
    found = tempo_of(extract(clicks(bpm)).mel_power, DEFAULT_PARAMS)
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=0.01)
    assert found.clarity > 0.5


def test_gain_changes_nothing_and_noise_has_no_clear_tempo() -> None:
    loud, faint = (tempo_of(extract(clicks(100.0) * gain).mel_power, DEFAULT_PARAMS) for gain in (1.0, 0.1))
    assert loud is not None
    assert faint is not None
    assert loud.bpm == pytest.approx(faint.bpm, rel=0.005)
    noise = (np.random.default_rng(3).standard_normal(20 * RATE) * 0.1).astype(np.float32)
    found = tempo_of(extract(noise).mel_power, DEFAULT_PARAMS)
    assert found is not None
    assert found.clarity < 0.2


@pytest.mark.parametrize("samples", [np.zeros(10 * RATE, np.float32), clicks(120.0, 4.0)])
def test_silence_and_what_is_too_short_have_no_tempo(samples: Float32) -> None:
    assert tempo_of(extract(samples).mel_power, DEFAULT_PARAMS) is None
