"""Simulated recordings of music through a microphone, from which the head on the tagger's features learns.

The loudspeaker, the room and the levels follow real recordings of known clips, in which music explains
a median of 12 to 20 % of the power between 1 and 6 kHz and 2 to 3 % of that under 500 Hz. Talk is made by
espeak-ng, or by modulated noise where that is not installed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, AudioError, decode
from classifier.fitting.data.outliers import speech

Samples = NDArray[np.float64]

SNR_DB: Final = (-10.0, 12.0)
LEVEL_DB: Final = (-42.0, -14.0)

_VOICE_SECONDS: Final = 12
_LANGUAGES: Final = (
    "en-us",
    "en-gb",
    "de",
    "fr-fr",
    "es",
    "it",
    "pt",
    "nl",
    "sv",
    "pl",
    "cs",
    "hu",
    "ko",
    "tr",
)
_VARIANTS: Final = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4", "+croak")
_CONSONANTS: Final = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "au", "ei")
_SPEAKER_HZ: Final = np.array(
    [30, 60, 120, 250, 350, 500, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000, 10_500], np.float64
)


def voices(count: int, rng: np.random.Generator) -> list[Samples]:
    """Talk of `count` voices, each some seconds long and of unit power."""
    espeak = shutil.which("espeak-ng")
    made = [_spoken(espeak, rng) if espeak else None for _ in range(count)]
    n = SAMPLE_RATE * _VOICE_SECONDS
    return [_unit(speech(n, SAMPLE_RATE, rng) if sound is None else sound) for sound in made]


def simulated_recording(samples: Samples, crowd: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Music as a microphone hears it across a room with people in it.

    Parameters
    ----------
    samples
        (n_samples,) at SAMPLE_RATE.
    crowd
        Voices, as `voices` gives them.
    """
    n = len(samples)
    music = _unit(echoing(_through_loudspeaker(samples, rng), rng, longest=0.9))
    talk = np.zeros(n)
    for _ in range(int(rng.integers(1, 8))):
        voice = crowd[int(rng.integers(len(crowd)))]
        talk += _excerpt(voice, n, rng) * 10 ** (rng.normal(0, 5) / 20)
    talk = _unit(echoing(talk, rng, longest=1.2))
    share = rng.random()
    other = _unit(share * talk + (1 - share) * _unit(_steady_noise(n, rng)))
    heard = music + other * 10 ** (-rng.uniform(*SNR_DB) / 20)
    if rng.random() < 0.3:
        heard = _knocked(heard, rng)
    return np.clip(_unit(heard) * 10 ** (rng.uniform(*LEVEL_DB) / 20), -1.0, 1.0)


def _spoken(espeak: str, rng: np.random.Generator) -> Samples | None:
    """Nonsense words in the voice of some language; None where espeak-ng refuses."""
    words = " ".join(_word(rng) for _ in range(60))
    voice = str(rng.choice(_LANGUAGES)) + str(rng.choice(_VARIANTS))
    speed, pitch = str(rng.integers(110, 210)), str(rng.integers(20, 80))
    command = [espeak, "-v", voice, "-s", speed, "-p", pitch, "--stdout", words]
    try:
        wav = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout  # noqa: S603
        sound = decode(io.BytesIO(wav)).samples.astype(np.float64)
    except (OSError, subprocess.SubprocessError, AudioError):
        return None
    return sound[: SAMPLE_RATE * _VOICE_SECONDS]


def _word(rng: np.random.Generator) -> str:
    parts = (str(rng.choice(_CONSONANTS)) + str(rng.choice(_VOWELS)) for _ in range(int(rng.integers(1, 4))))
    return "".join(parts) + str(rng.choice(["", ",", "."], p=[0.8, 0.12, 0.08]))


def _through_loudspeaker(samples: Samples, rng: np.random.Generator) -> Samples:
    from scipy.signal import fftconvolve, firwin2

    low, high = np.exp(rng.uniform(np.log(250), np.log(1300))), rng.uniform(4000, 9000)
    response = rng.normal(0, 3.5, len(_SPEAKER_HZ))
    response -= np.maximum(np.log2(low / _SPEAKER_HZ), 0) * rng.uniform(8, 24)
    response -= np.maximum(np.log2(_SPEAKER_HZ / high), 0) * rng.uniform(6, 24)
    gains = np.power(10.0, np.maximum(response, -60) / 20)
    grid = np.concatenate([[0], _SPEAKER_HZ / (SAMPLE_RATE / 2), [1]])
    taps = firwin2(513, grid, np.concatenate([gains[:1], gains, gains[-1:]]))
    return np.asarray(fftconvolve(samples, taps, "same"))


def echoing(samples: Samples, rng: np.random.Generator, *, longest: float) -> Samples:
    """A room whose echo is between 4 dB louder and 8 dB softer than the direct sound."""
    from scipy.signal import fftconvolve

    n = int(SAMPLE_RATE * rng.uniform(0.2, longest))
    echo = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    echo *= 10 ** (-rng.uniform(-4, 8) / 20) / np.sqrt(np.square(echo).sum())
    echo[0] = 1.0
    return np.asarray(fftconvolve(samples, echo)[: len(samples)])


def _steady_noise(n: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.normal(size=n))
    hertz = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE), 30)
    places = np.log([30, 100, 300, 1000, 3000, 11_000])
    levels = np.array([0, 0, -2, -6, -14, -28]) + rng.normal(0, 4, len(places))
    return np.fft.irfft(spectrum * np.power(10.0, np.interp(np.log(hertz), places, levels) / 20), n)


def _knocked(samples: Samples, rng: np.random.Generator) -> Samples:
    n = min(3000, len(samples))
    seconds = np.arange(n) / SAMPLE_RATE
    result = samples.copy()
    for _ in range(int(rng.integers(1, 6))):
        begin = int(rng.integers(0, len(samples) - n + 1))
        thump = np.exp(-seconds * rng.uniform(40, 200)) * np.sin(2 * np.pi * rng.uniform(60, 1500) * seconds)
        click = 0.3 * np.exp(-seconds * 400) * rng.normal(size=n)
        result[begin : begin + n] += np.abs(samples).max() * rng.uniform(0.5, 4) * (thump + click)
    return result


def _excerpt(samples: Samples, n: int, rng: np.random.Generator) -> Samples:
    """`n` samples from a random place on, the sound repeated as often as needed."""
    return np.resize(np.roll(samples, int(rng.integers(len(samples)))), n)


def _unit(samples: Samples) -> Samples:
    return np.asarray(samples / (np.sqrt(np.mean(np.square(samples))) + 1e-9))
