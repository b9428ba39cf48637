"""Four short pieces of different kinds, for people who want to try the platform and have no file at hand.

They are always the same, and nobody holds rights in them. Instruments and rooms are closer to recordings than
in `classifier.synthesis.styles`, so that a classifier that learnt from recordings can tell them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from classifier.synthesis.styles import (
    RATE,
    Float32,
    Float64,
    _add,
    _decay,
    _finished,
    _frequency,
    _kick,
    _noise,
    _pluck,
    _saw,
    _time,
)

SECONDS = 20.0


def chorale() -> Float32:
    """Four bowed voices in a large room, 66 beats a minute."""
    rng = np.random.default_rng(11)
    sound, root, beat = np.zeros(round(SECONDS * RATE)), 52, 60 / 66
    chords = (
        (0, 4, 7),
        (-5, -1, 2),
        (-3, 0, 4),
        (-8, -5, -1),
        (-7, -3, 0),
        (0, 4, 7),
        (-7, -3, 0),
        (-5, -1, 2),
    )
    melody = (12, 14, 16, 14, 12, 11, 12, 9, 12, 16, 19, 17, 16, 14, 12, 11)
    for number, start in enumerate(np.arange(0, SECONDS, 2 * beat)):
        chord = chords[number % len(chords)]
        for note in chord:
            _add(sound, start, 0.1 * _bowed(root + note, 2 * beat + 0.3, rng))
        _add(sound, start, 0.16 * _bowed(root + chord[0] - 12, 2 * beat + 0.3, rng))
    for number, start in enumerate(np.arange(0, SECONDS, beat)):
        _add(sound, start, 0.16 * _bowed(root + melody[number % 16], beat + 0.2, rng))
    return _finished(_in_room(_lowpass(sound, 3500.0), rng, seconds=2.4, wet=0.5))


def etude() -> Float32:
    """Broken chords and a melody on a piano, 70 beats a minute."""
    rng = np.random.default_rng(12)
    sound, root, beat = np.zeros(round(SECONDS * RATE)), 50, 60 / 70
    chords = ((0, 4, 7, 12), (-3, 0, 4, 9), (-7, -3, 0, 5), (-5, -1, 2, 7))
    for number, start in enumerate(np.arange(0, SECONDS, beat)):
        low, *rest = chords[(number // 4) % 4]
        for step, note in enumerate((low - 12, *rest, rest[1], rest[0])):
            _add(sound, start + step * beat / 6, 0.25 * _piano(root + note, 1.8, softness=0.6))
        if number % 2 == 0:
            _add(sound, start, 0.5 * _piano(root + 12 + rest[int(rng.integers(3))], 2.5))
    return _finished(_in_room(sound, rng, seconds=1.8, wet=0.4))


def disco() -> Float32:
    """Four on the floor, open hi-hats, a bass in octaves, muted guitar and strings; 120 beats a minute."""
    rng = np.random.default_rng(13)
    sound, root, beat = np.zeros(round(SECONDS * RATE)), 45, 0.5
    chords = ((0, 3, 7), (5, 8, 12), (-2, 2, 5), (3, 7, 10))
    for number, start in enumerate(np.arange(0, SECONDS, beat)):
        chord = chords[(number // 8) % 4]
        _add(sound, start, 0.9 * _kick())
        if number % 2:
            _add(sound, start, 0.5 * _snare(rng))
        for step in range(4):
            _add(sound, start + step * beat / 4, 0.12 * _hat(0.06, 60.0, rng))
        _add(sound, start + beat / 2, 0.3 * _hat(0.18, 18.0, rng))
        for step, octave in enumerate((0, 12)):
            bass = _saw(root + chord[0] - 12 + octave, beat / 2.2) * _decay(beat / 2.2, 4.0)
            _add(sound, start + step * beat / 2, 0.5 * _lowpass(bass, 700.0))
        for note in chord:
            for share in (0.25, 0.75):
                _add(sound, start + share * beat, 0.16 * _pluck(root + 24 + note, 0.12, rng))
            if number % 4 == 0:
                _add(sound, start, 0.07 * _bowed(root + 24 + note, 3.6 * beat, rng))
        if number % 8 >= 6:
            for step in (0, 1):
                line = _bowed(root + 36 + chord[(number + step) % 3], beat / 2, rng)
                _add(sound, start + step * beat / 2, 0.1 * line)
    return _finished(_in_room(sound, rng, seconds=0.8, wet=0.18))


def riff() -> Float32:
    """Distorted fifths, a bass below them, drums, and a lead from the middle on; 132 beats a minute."""
    rng = np.random.default_rng(16)
    guitar, rest, lead = (np.zeros(round(SECONDS * RATE)) for _part in range(3))
    beat, root, place = 60 / 132, 45, 4
    roots, scale = (0, 0, 3, 0, 5, 5, 3, 5, 0, 0, 3, 0, 7, 5, 3, 0), (0, 3, 5, 7, 10, 12, 15, 17)
    for number, start in enumerate(np.arange(0, SECONDS, beat / 2)):
        note = root + roots[(number // 2) % 16]
        for interval in (0, 7, 12):
            for detune in (-0.06, 0.06):
                string = _saw(note + interval + detune, beat / 2)
                _add(guitar, start, string * _decay(beat / 2, 3.0 if number % 2 == 0 else 7.0))
        bass = _lowpass(_saw(note - 12, beat / 2), 500.0) * _decay(beat / 2, 3.0)
        _add(rest, start, 0.3 * bass)
        if number % 4 == 0 or number % 8 == 5:
            _add(rest, start, 0.72 * _kick())
        if number % 4 == 2:
            _add(rest, start, 0.64 * _snare(rng))
        _add(rest, start, 0.14 * _hat(0.25, 14.0, rng))
        if number >= 32 and number % 2 == 0:
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(scale) - 1))
            tone = np.tanh(3 * _saw(root + 24 + scale[place], beat) * _decay(beat, 1.5))
            _add(lead, start, 0.12 * _lowpass(tone, 3500.0))
    return _finished(
        _in_room(0.4 * _lowpass(np.tanh(4 * guitar), 4200.0) + rest + lead, rng, seconds=0.8, wet=0.15)
    )


# --- sounds ---------------------------------------------------------------------------------------------
def _bowed(note: float, seconds: float, rng: np.random.Generator) -> Float64:
    """A bowed string: harmonics of a tone that begins softly and then vibrates."""
    time = _time(seconds)
    vibrato = np.sin(2 * np.pi * rng.uniform(4.8, 5.8) * time + rng.uniform(0, 6))
    bend = 2 ** (0.12 * np.minimum(time / 0.6, 1) * vibrato / 12)
    phase = 2 * np.pi * np.cumsum(_frequency(note) * bend) / RATE
    tone = np.zeros(time.size)
    for harmonic in range(1, int(min(24, 7000 / _frequency(note))) + 1):
        tone += np.sin(harmonic * phase) / harmonic**1.1
    return np.asarray(tone * np.minimum(1, time / 0.18) * np.clip((seconds - time) / 0.25, 0, 1), np.float64)


@lru_cache(maxsize=8)
def _piano(note: int, seconds: float, *, softness: float = 0.0) -> Float64:
    """A struck string: two strings a little out of tune, stretched partials, the knock of the hammer."""
    time, frequency = _time(seconds), _frequency(note)
    tone = np.zeros(time.size)
    for partial in range(1, int(min(14, 9000 / frequency)) + 1):
        stretched = partial * frequency * np.sqrt(1 + 0.0004 * partial**2)
        loudness = (1 - softness * 0.5 * (partial <= 3)) / partial**1.2
        fade = np.exp(-(0.9 + 0.35 * partial) * time * (frequency / 260) ** 0.4)
        for detune in (-0.0006, 0.0004):
            tone += loudness * fade * np.sin(2 * np.pi * stretched * (1 + detune) * time + partial)
    knock = 0.15 * _noise(seconds, 80.0, np.random.default_rng(note))
    return np.asarray(tone * np.minimum(1, time / 0.003) + knock, np.float64)


def _hat(seconds: float, rate: float, rng: np.random.Generator) -> Float64:
    return np.asarray(np.diff(_noise(seconds, rate, rng), prepend=0), np.float64)


def _snare(rng: np.random.Generator) -> Float64:
    skin = 0.6 * np.sin(2 * np.pi * 190 * _time(0.22)) * _decay(0.22, 22.0)
    return np.asarray(0.7 * _noise(0.22, 20.0, rng) + skin, np.float64)


def _lowpass(sound: Float64, cut: float) -> Float64:
    """Filter above a frequency in Hz, as a Butterworth filter of second order does, without its delay."""
    frequencies = np.fft.rfftfreq(sound.size, 1 / RATE)
    return np.asarray(
        np.fft.irfft(np.fft.rfft(sound) / np.sqrt(1 + (frequencies / cut) ** 4), sound.size), np.float64
    )


def _in_room(sound: Float64, rng: np.random.Generator, *, seconds: float, wet: float) -> Float64:
    """Add reverberation: noise that fades by 60 dB in so many seconds, as loud as the sound for `wet` 0.5."""
    length = round(seconds * RATE)
    response = np.convolve(_noise(seconds, 6.9 / seconds, rng)[:length], np.ones(6) / 6, "same")
    size = sound.size + length
    tail = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: sound.size]
    level = np.sqrt(np.mean(sound**2) / max(float(np.mean(tail**2)), 1e-12))
    return np.asarray((1 - wet) * sound + wet * level * tail, np.float64)
