"""Synthetic sounds that are not music, for outlier exposure (Hendrycks et al., ICLR 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.features import extract
from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]
Synthesiser = Callable[[int, int, np.random.Generator], NDArray[np.floating]]


def _coloured(n: int, slope_db: float, rng: np.random.Generator) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.normal(size=n))
    octaves = np.log2(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum * np.power(10.0, octaves * slope_db / 20), n)


def noise(n: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Steady noise between blue and brown."""
    return _coloured(n, float(rng.choice([0.0, rng.uniform(-8.0, 3.0)])), rng)


def moving_noise(n: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Wind, waves, traffic: coloured noise whose level wanders."""
    return _coloured(n, rng.uniform(-9.0, -2.0), rng) * np.exp(_wander(n, sample_rate, rng, depth=1.0))


def tone(n: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A sine or a steady harmonic tone, sometimes sweeping or trembling."""
    seconds = np.arange(n) / sample_rate
    frequency = np.full(n, np.exp(rng.uniform(np.log(40), np.log(8000))))
    if rng.random() < 0.3:
        frequency = frequency * 2 ** (seconds / seconds[-1] * rng.uniform(-2, 2))
    phase = 2 * np.pi * np.cumsum(frequency) / sample_rate
    sound = sum(np.sin(k * phase) * rng.random() ** 2 for k in range(2, 9)) if rng.random() < 0.4 else 0.0
    level = 1 + 0.9 * np.sin(2 * np.pi * rng.uniform(0.5, 8) * seconds) if rng.random() < 0.3 else 1.0
    return (np.sin(phase) + sound) * level


def clicks(n: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A click track or random taps: short bursts, clean or ringing."""
    sound = np.zeros(n)
    if rng.random() < 0.6:
        onsets = np.arange(0, n, int(sample_rate * rng.uniform(0.2, 1.2)))
    else:
        onsets = rng.integers(0, n, int(n / sample_rate * rng.uniform(0.3, 6)))
    length = int(sample_rate * rng.uniform(0.002, 0.08))
    times = np.arange(length) / sample_rate
    ring = np.sin(2 * np.pi * np.exp(rng.uniform(np.log(200), np.log(5000))) * times)
    burst = (ring if rng.random() < 0.6 else rng.normal(size=length)) * np.exp(
        -times * 4 * sample_rate / length
    )
    for onset in onsets:
        part = burst[: n - onset]
        sound[onset : onset + len(part)] += part
    return sound


def speech(n: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Speech-like: a gliding pulse train or breath through moving formants, in syllables and pauses."""
    pitch = np.exp(rng.uniform(np.log(80), np.log(260)) + 0.25 * _wander(n, sample_rate, rng, depth=1.0))
    phase = np.cumsum(pitch) / sample_rate
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = pulses * 20 + rng.normal(size=n) * rng.uniform(0.02, 1.0)
    sound = np.zeros(n)
    position = 0
    while position < n:
        length = int(sample_rate * rng.uniform(0.08, 0.35))
        piece = source[position : position + length]
        if rng.random() < 0.75 and len(piece) > 16:
            spectrum = np.fft.rfft(piece)
            frequency = np.fft.rfftfreq(len(piece), 1 / sample_rate)
            centres = [rng.uniform(250, 900), rng.uniform(900, 2400), rng.uniform(2400, 3600)]
            response = sum(
                g / (1 + ((frequency - c) / 90) ** 2) for g, c in zip((1, 0.5, 0.2), centres, strict=True)
            )
            sound[position : position + len(piece)] = (
                np.fft.irfft(spectrum * response, len(piece)) * np.hanning(len(piece)) * rng.exponential(1.0)
            )
        position += length
    return sound + rng.normal(size=n) * np.std(sound) * 10 ** (-rng.uniform(0.5, 3))


def _wander(n: int, sample_rate: int, rng: np.random.Generator, *, depth: float) -> NDArray[np.float64]:
    knots = max(int(n / sample_rate * rng.uniform(0.5, 4)), 2)
    return np.interp(np.arange(n), np.linspace(0, n, knots), rng.normal(0, depth, knots))


SYNTHESISERS: Sequence[Synthesiser] = (noise, moving_noise, tone, clicks, speech)


def synthesise(*, count: int, seconds: float, params: PatchParams, seed: int) -> list[FloatArray]:
    """Log-mel columns of `count` sounds, all kinds in turn, alone or two at once.

    Returns
    -------
    list of (n_mels, n_columns) float32, in dB.
    """
    n = int(seconds * params.sample_rate)
    columns = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        kinds = [SYNTHESISERS[index % len(SYNTHESISERS)]]
        if rng.random() < 0.3:
            kinds.append(SYNTHESISERS[int(rng.integers(len(SYNTHESISERS)))])
        sounds = [kind(n, params.sample_rate, rng) for kind in kinds]
        mixed = sum(s / max(float(np.std(s)), 1e-9) * rng.uniform(0.2, 1.0) for s in sounds)
        samples = np.asarray(0.05 * mixed, dtype=np.float32)
        columns.append(patches.columns_db(extract(samples).mel_power, params))
    return columns
