"""Talk to fit the detector of music on: spoken by espeak-ng, or modulated noise where it is not installed."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, AudioError, decode
from classifier.fitting.data.outliers import speech

Samples = NDArray[np.float64]

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


def voices(count: int, rng: np.random.Generator) -> list[Samples]:
    """Talk of `count` voices, each some seconds long and of unit power."""
    espeak = shutil.which("espeak-ng")
    made = [_spoken(espeak, rng) if espeak else None for _ in range(count)]
    n = SAMPLE_RATE * _VOICE_SECONDS
    return [_unit(speech(n, SAMPLE_RATE, rng) if sound is None else sound) for sound in made]


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


def echoing(samples: Samples, rng: np.random.Generator, *, longest: float) -> Samples:
    """A room whose echo is between 4 dB louder and 8 dB softer than the direct sound."""
    from scipy.signal import fftconvolve

    n = int(SAMPLE_RATE * rng.uniform(0.2, longest))
    echo = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    echo *= 10 ** (-rng.uniform(-4, 8) / 20) / np.sqrt(np.square(echo).sum())
    echo[0] = 1.0
    return np.asarray(fftconvolve(samples, echo)[: len(samples)])


def _unit(samples: Samples) -> Samples:
    return np.asarray(samples / (np.sqrt(np.mean(np.square(samples))) + 1e-9))
