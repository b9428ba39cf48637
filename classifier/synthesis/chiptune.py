"""A genre that no training set holds: the music of old game consoles, made up anew for each seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

RATE = 22050
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))
_PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 0), (5, 3, 0, 4), (0, 4, 5, 3), (0, 2, 3, 4))


def chiptune(seed: int, seconds: float = 15.0) -> Float32:
    """Square-wave arpeggios over a triangle bass and noise drums, in a random key, tempo and timbre.

    A console has two pulse voices of a few duty cycles, a triangle and a noise generator. Mixed with a little
    hiss and through a random tilt, as recordings are.
    """
    rng = np.random.default_rng([20, seed])
    n = round(seconds * RATE)
    time = np.arange(n) / RATE
    scale, progression = (
        _SCALES[rng.integers(len(_SCALES))],
        _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))],
    )
    root, beat = 48 + int(rng.integers(0, 12)), 60 / rng.uniform(90, 180)
    degree = np.array(progression)[(time / (4 * beat)).astype(int) % len(progression)]
    sound = rng.uniform(0.6, 1.0) * _arpeggio(time, degree, scale=scale, root=root + 12, beat=beat, rng=rng)
    sound += rng.uniform(0.3, 0.9) * _melody(time, degree, scale=scale, root=root + 24, beat=beat, rng=rng)
    bass = _frequency(root - 12 + np.array(scale)[degree % 7] - 12 * (degree > 4))
    pattern = time / (beat / 2) % 1 < rng.uniform(0.5, 0.95)
    sound += rng.uniform(0.5, 1.0) * (2 * np.abs(2 * (_phase(bass) % 1) - 1) - 1) * pattern
    sound += rng.uniform(0.2, 0.8) * _drums(time, beat, rng)
    sound += rng.uniform(0.0, 0.03) * rng.standard_normal(n)
    spectrum = np.fft.rfft(sound)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / RATE), 30.0) / 1000.0)
    sound = np.fft.irfft(spectrum * 10 ** (octaves * rng.uniform(-4.0, 2.0) / 20), n)
    return np.asarray(rng.uniform(0.1, 0.8) * sound / np.abs(sound).max(), np.float32)


def _frequency(note: Float64) -> Float64:
    return np.asarray(440.0 * 2 ** ((note - 69) / 12), np.float64)


def _phase(frequency: Float64) -> Float64:
    return np.asarray(np.cumsum(frequency) / RATE, np.float64)


def _pulse(frequency: Float64, duty: float) -> Float64:
    return np.where(_phase(frequency) % 1 < duty, 1.0, -1.0)


def _arpeggio(
    time: Float64,
    degree: npt.NDArray[np.int64],
    *,
    scale: tuple[int, ...],
    root: int,
    beat: float,
    rng: np.random.Generator,
) -> Float64:
    steps = np.array([(0, 2, 4), (0, 2, 4, 7), (0, 4, 2, 4), (4, 2, 0)][rng.integers(4)], dtype=object)
    length = beat / rng.choice([2, 4, 8])
    step = np.asarray(steps, dtype=np.int64)[(time / length).astype(int) % len(steps)]
    place = degree + step
    note = root + np.array(scale)[place % 7] + 12 * (place // 7)
    fade = np.exp(-rng.uniform(0.0, 6.0) * (time / length % 1))
    pulse = _pulse(_frequency(note.astype(np.float64)), float(rng.choice([0.125, 0.25, 0.5])))
    return np.asarray(pulse * fade, np.float64)


def _melody(
    time: Float64,
    degree: npt.NDArray[np.int64],
    *,
    scale: tuple[int, ...],
    root: int,
    beat: float,
    rng: np.random.Generator,
) -> Float64:
    slots = (time / (beat / 2)).astype(int)
    walk = np.cumsum(rng.integers(-2, 3, slots[-1] + 1)) % 10
    place = degree + walk[slots]
    note = root + np.array(scale)[place % 7] + 12 * (place // 7)
    trembling = 1 + rng.uniform(0, 0.01) * np.sin(2 * np.pi * rng.uniform(4, 8) * time)
    sounding = (rng.random(slots[-1] + 1) < rng.uniform(0.5, 0.95))[slots]
    frequency = _frequency(note.astype(np.float64)) * trembling
    return np.asarray(_pulse(frequency, float(rng.choice([0.125, 0.25, 0.5]))) * sounding, np.float64)


def _drums(time: Float64, beat: float, rng: np.random.Generator) -> Float64:
    # The console's noise is a register clocked slower than the output: held samples.
    held = np.repeat(rng.choice([-1.0, 1.0], len(time) // 2 + 1), 2)[: len(time)]
    snare = np.exp(-25 * (time % (2 * beat) - beat) / beat) * (time % (2 * beat) >= beat)
    hat = 0.4 * np.exp(-40 * (time % (beat / 2)) / beat)
    return np.asarray(held * (snare + hat), np.float64)
