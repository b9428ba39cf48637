"""Simulated recordings of music through a microphone, from which the head on the tagger's features learns.

The loudspeaker, the room and the levels follow real recordings of known clips, in which music explains
a median of 12 to 20 % of the power between 1 and 6 kHz and 2 to 3 % of that under 500 Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE
from classifier.fitting.data.talk import echoing

Samples = NDArray[np.float64]

SNR_DB: Final = (-10.0, 12.0)
LEVEL_DB: Final = (-42.0, -14.0)

_SPEAKER_HZ: Final = np.array(
    [30, 60, 120, 250, 350, 500, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000, 10_500], np.float64
)


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
    mixture = music + other * 10 ** (-rng.uniform(*SNR_DB) / 20)
    if rng.random() < 0.3:
        mixture = _knocked(mixture, rng)
    return np.clip(_unit(mixture) * 10 ** (rng.uniform(*LEVEL_DB) / 20), -1.0, 1.0)


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
