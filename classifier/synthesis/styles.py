"""Simple pieces in a few styles, another one for every seed. Nobody holds rights in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from classifier.synthesis.chiptune import RATE

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_CHORDS = ((0, 4, 7), (-3, 0, 4), (-7, -3, 0), (-5, -1, 2))
"""I, vi, IV and V of a major key, in semitones above its root."""


def dance(seed: int, seconds: float = 15.0) -> Float32:
    """A bass drum on every beat, open hi-hats between, short saw-tooth chords; 118 to 132 beats a minute."""
    rng = np.random.default_rng([1, seed])
    beat, root = 60 / rng.uniform(118, 132), 45 + int(rng.integers(0, 12))
    sound = np.zeros(round(seconds * RATE))
    for number, start in enumerate(np.arange(0, seconds, beat)):
        _add(sound, start, _kick())
        _add(sound, start + beat / 2, 0.3 * _noise(0.12, 30.0, rng))
        chord = _CHORDS[(number // 8) % 4]
        for step in (0.5, 0.75) if number % 2 else (0.0, 0.5):
            notes = (_saw(root + 12 + note, 0.15) * _decay(0.15, 12.0) for note in chord)
            _add(sound, start + step * beat, 0.12 * np.sum(list(notes), axis=0))
        _add(sound, start + beat / 2, 0.35 * _saw(root - 12 + chord[0], 0.18) * _decay(0.18, 6.0))
    return _finished(sound)


def ambient(seed: int, seconds: float = 15.0) -> Float32:
    """Slow chords of detuned sines that swell and fade over a breath of noise, without a beat."""
    rng = np.random.default_rng([2, seed])
    root, length = 48 + int(rng.integers(0, 12)), rng.uniform(4.0, 6.0)
    sound = 0.01 * rng.standard_normal(round(seconds * RATE))
    swell = np.sin(np.pi * np.arange(round(1.5 * length * RATE)) / round(1.5 * length * RATE)) ** 2
    for number, start in enumerate(np.arange(0, seconds, length)):
        for note in (*_CHORDS[number % 4], 12):
            for detune in (-0.06, 0.0, 0.07):
                _add(sound, start, 0.1 * swell * _sine(root + note + detune, 1.5 * length))
    return _finished(sound)


def waltz(seed: int, seconds: float = 15.0) -> Float32:
    """Plucked strings in three-four time: a low note, two chords, and a melody above them."""
    rng = np.random.default_rng([3, seed])
    beat, root = 60 / rng.uniform(100, 150), 48 + int(rng.integers(0, 10))
    sound = np.zeros(round(seconds * RATE))
    for number, start in enumerate(np.arange(0, seconds, beat)):
        chord = _CHORDS[(number // 6) % 4]
        low = (root - 12 + chord[0],)
        for note in low if number % 3 == 0 else [root + note for note in chord]:
            _add(sound, start, 0.4 * _pluck(note, 1.2, rng))
        if rng.random() < 0.7:
            _add(sound, start, 0.6 * _pluck(root + 12 + chord[int(rng.integers(3))], 0.9, rng))
    return _finished(sound)


def rock(seed: int, seconds: float = 15.0) -> Float32:
    """Distorted fifths on every eighth note, bass drum and snare; 110 to 150 beats a minute."""
    rng = np.random.default_rng([4, seed])
    beat, root = 60 / rng.uniform(110, 150), 40 + int(rng.integers(0, 7))
    guitar, drums = np.zeros(round(seconds * RATE)), np.zeros(round(seconds * RATE))
    for number, start in enumerate(np.arange(0, seconds, beat / 2)):
        note = root + _CHORDS[(number // 8) % 4][0]
        for interval in (0, 7, 12):
            _add(guitar, start, _saw(note + interval, beat / 2) * _decay(beat / 2, 3.0))
        hit = _noise(0.2, 18.0, rng) if number % 4 == 2 else _kick() if number % 2 == 0 else None
        _add(drums, start, 0.15 * _noise(0.05, 60.0, rng) if hit is None else hit)
    return _finished(0.5 * np.tanh(4 * guitar) + 0.8 * drums)


def nocturne(seed: int, seconds: float = 15.0) -> Float32:
    """Broken chords and a slow melody of struck strings, whose high harmonics fade faster."""
    rng = np.random.default_rng([5, seed])
    beat, root = 60 / rng.uniform(60, 84), 48 + int(rng.integers(0, 10))
    sound = np.zeros(round(seconds * RATE))
    for number, start in enumerate(np.arange(0, seconds, beat)):
        chord = _CHORDS[(number // 4) % 4]
        for step, note in enumerate((chord[0] - 12, chord[1], chord[2], chord[1])):
            _add(sound, start + step * beat / 4, 0.3 * _struck(root + note))
        if number % 2 == 0:
            _add(sound, start, 0.7 * _struck(root + 12 + chord[int(rng.integers(3))]))
    return _finished(sound)


# --- sounds ---------------------------------------------------------------------------------------------
def _time(seconds: float) -> Float64:
    return np.arange(round(seconds * RATE)) / RATE


def _frequency(note: float) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _sine(note: float, seconds: float) -> Float64:
    return np.asarray(np.sin(2 * np.pi * _frequency(note) * _time(seconds)), np.float64)


def _saw(note: float, seconds: float) -> Float64:
    return np.asarray(2 * (_frequency(note) * _time(seconds) % 1) - 1, np.float64)


def _decay(seconds: float, rate: float) -> Float64:
    return np.asarray(np.exp(-rate * _time(seconds)), np.float64)


def _kick() -> Float64:
    time = _time(0.25)
    return np.asarray(
        np.sin(2 * np.pi * (50 * time + 6 * (1 - np.exp(-30 * time)))) * np.exp(-12 * time), np.float64
    )


def _noise(seconds: float, rate: float, rng: np.random.Generator) -> Float64:
    time = _time(seconds)
    return np.asarray(rng.standard_normal(time.size) * np.exp(-rate * time), np.float64)


def _pluck(note: float, seconds: float, rng: np.random.Generator) -> Float64:
    """A plucked string after Karplus and Strong (1983): noise in a loop that averages neighbours."""
    period = max(2, round(RATE / _frequency(note)))
    rounds = round(seconds * RATE) // period + 1
    loop = rng.uniform(-1, 1, period)
    out = np.empty(rounds * period)
    for number in range(rounds):
        out[number * period : (number + 1) * period] = loop
        loop = 0.498 * (loop + np.roll(loop, 1))
    return out[: round(seconds * RATE)]


def _struck(note: float) -> Float64:
    time = _time(1.5)
    partials = (
        np.sin(2 * np.pi * n * _frequency(note) * time) * np.exp(-(1.5 + n) * time) / n for n in range(1, 7)
    )
    return np.asarray(np.sum(list(partials), axis=0), np.float64)


def _add(sound: Float64, start: float, part: Float64) -> None:
    """Add a part at a moment; what lies beyond the end is left out."""
    first = round(start * RATE)
    kept = part[: max(0, sound.size - first)]
    sound[first : first + kept.size] += kept


def _finished(sound: Float64) -> Float32:
    fade = np.minimum(1.0, np.minimum(np.arange(sound.size), np.arange(sound.size)[::-1]) / (0.02 * RATE))
    return np.asarray(0.7 * fade * sound / np.abs(sound).max(), np.float32)
