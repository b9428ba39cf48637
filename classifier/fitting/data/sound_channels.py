"""Degradation of samples by loudspeakers, rooms, noise and codecs, to measure robustness.

Networks are fitted with `classifier.core.channels`, which simulates such channels on mel spectrograms. Here
they are convolutions, added sounds and FFmpeg's encoders; they are for measuring only, never for fitting.
Every channel takes mono samples at `SAMPLE_RATE` and a generator, and returns about as many.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, decode
from classifier.fitting.data.outliers import speech

Samples = NDArray[np.float64]
SoundChannel = Callable[[Samples, np.random.Generator], Samples]

_TAPS: Final = 1023
_CROWDS: Final = 6
_VOICES: Final = 5
_CROWD_SECONDS: Final = 15


def loudspeaker(
    samples: Samples,
    rng: np.random.Generator,
    *,
    low: float | None = None,
    high: float | None = None,
) -> Samples:
    """A small loudspeaker, driven a little too hard: nothing far below `low` Hz or above `high` Hz."""
    from scipy.signal import fftconvolve, firwin2

    low = low or rng.uniform(500, 1000)
    high = high or rng.uniform(5000, 8000)
    hertz = [0, low / 4, low / 2, low, 1.5 * low, 2500, 4000, high, 1.3 * high, SAMPLE_RATE / 2]
    uneven = rng.normal(0, 3), rng.normal(0, 4), rng.normal(0, 4)
    response_db = [-60, -50, -25, -3, *uneven, -3, -25, -40]
    places = np.minimum(np.maximum.accumulate(hertz), SAMPLE_RATE / 2)
    grid = np.unique(places)
    gains = np.interp(grid, places, np.power(10.0, np.array(response_db) / 20))
    filtered = fftconvolve(samples, firwin2(_TAPS, grid / (SAMPLE_RATE / 2), gains), "same")
    return np.asarray(np.tanh(1.5 * filtered / _peak(filtered)))


def room(samples: Samples, rng: np.random.Generator, *, seconds: float | None = None) -> Samples:
    """Convolution with an echo that falls by 60 dB within `seconds`, 0 to 6 dB under the direct sound."""
    from scipy.signal import fftconvolve

    seconds = seconds or rng.uniform(0.3, 0.8)
    n = int(SAMPLE_RATE * seconds)
    echo = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    echo[: int(0.004 * SAMPLE_RATE)] = 0.0
    echo *= 10 ** (-rng.uniform(0, 6) / 20) / np.sqrt((echo**2).sum())
    echo[0] = 1.0
    return np.asarray(fftconvolve(samples, echo)[: len(samples)])


def babble(samples: Samples, rng: np.random.Generator, *, snr_db: float) -> Samples:
    """Five voices at once, `snr_db` under the music."""
    return _added(samples, np.resize(_crowd(int(rng.integers(_CROWDS))), len(samples)), snr_db)


def noise(samples: Samples, rng: np.random.Generator, *, snr_db: float) -> Samples:
    """Steady noise that falls by 2 to 6 dB per octave, `snr_db` under the music."""
    spectrum = np.fft.rfft(rng.normal(size=len(samples)))
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 20)
    return _added(samples, np.fft.irfft(spectrum * hertz ** -rng.uniform(0.3, 1), len(samples)), snr_db)


def knocks(samples: Samples, rng: np.random.Generator) -> Samples:
    """Six bumps against the microphone, louder than the music's peaks."""
    n = 4000
    seconds = np.arange(n) / SAMPLE_RATE
    peak = np.abs(samples).max()
    result = samples.copy()
    for _ in range(6):
        begin = int(rng.integers(0, max(len(samples) - n, 1)))
        thump = peak * rng.uniform(1.5, 6) * np.exp(-seconds * rng.uniform(40, 120))
        thump = thump * np.sin(2 * np.pi * rng.uniform(60, 250) * seconds)
        click = peak * rng.uniform(0.2, 1) * np.exp(-seconds * 400) * rng.normal(size=n)
        struck = result[begin : begin + n]
        struck += (thump + click)[: len(struck)]
    return result


def encoded(
    samples: Samples,
    *,
    codec: str,
    sample_rate: int,
    bit_rate: int | None = None,
    container: str = "matroska",
) -> Samples:
    """Encode with FFmpeg and decode with the platform's own decoder."""
    buffer = io.BytesIO()
    levels = np.clip(0.8 * samples / _peak(samples), -1, 1)
    with av.open(buffer, "w", format=container) as target:
        stream = cast(AudioStream, target.add_stream(codec, rate=sample_rate))
        stream.codec_context.layout = "mono"
        if bit_rate:
            stream.bit_rate = bit_rate
        frame = AudioFrame.from_ndarray((levels * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = SAMPLE_RATE
        taken: Any = stream.codec_context.format
        resampler = AudioResampler(taken.name if taken else "s16", "mono", sample_rate)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(ready))
        target.mux(stream.encode(None))
    buffer.seek(0)
    return decode(buffer).samples.astype(np.float64)


def far_away(samples: Samples, rng: np.random.Generator) -> Samples:
    """A loudspeaker without anything under 1 kHz, across a noisy room."""
    played = room(loudspeaker(samples, rng, low=1000, high=6500), rng)
    return noise(played, rng, snr_db=8)


def everything(samples: Samples, rng: np.random.Generator) -> Samples:
    """A loudspeaker in a room with people, recorded with noise and sent as a voice message."""
    degraded = room(loudspeaker(samples, rng), rng)
    degraded = babble(degraded, rng, snr_db=rng.uniform(5, 12))
    degraded = noise(degraded, rng, snr_db=rng.uniform(10, 20))
    return encoded(degraded, codec="libopus", bit_rate=24_000, sample_rate=48_000)


SOUND_CHANNELS: Final[Mapping[str, SoundChannel]] = {
    "loudspeaker": loudspeaker,
    "room": lambda samples, rng: room(samples, rng, seconds=0.5),
    "babble": lambda samples, rng: babble(samples, rng, snr_db=10),
    "noise": lambda samples, rng: noise(samples, rng, snr_db=12),
    "knocks": knocks,
    "8 kHz": lambda samples, rng: encoded(samples, codec="pcm_mulaw", sample_rate=8000, container="wav"),
    "mp3": lambda samples, rng: encoded(
        samples, codec="libmp3lame", bit_rate=32_000, sample_rate=22_050, container="mp3"
    ),
    "opus": lambda samples, rng: encoded(samples, codec="libopus", bit_rate=12_000, sample_rate=16_000),
    "far away": far_away,
    "everything": everything,
}


@functools.cache
def _crowd(number: int) -> Samples:
    rng = np.random.default_rng([3, number])
    n = SAMPLE_RATE * _CROWD_SECONDS
    crowd = np.zeros(n)
    for _ in range(_VOICES):
        voice = speech(n, SAMPLE_RATE, rng)
        crowd += voice / _rms(voice) * 10 ** (rng.normal(0, 3) / 20)
    return crowd


def _added(samples: Samples, other: Samples, snr_db: float) -> Samples:
    return samples + other * (_rms(samples) / _rms(other) * 10 ** (-snr_db / 20))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2))) + 1e-9


def _peak(samples: Samples) -> float:
    return float(np.abs(samples).max()) + 1e-9
