"""Synthetic sounds with known properties."""

from __future__ import annotations

import io
import wave
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream

RATE = 22050


def chords(seconds: float = 3.0, *, seed: int = 0, rate: int = RATE) -> npt.NDArray[np.float32]:
    """Make (n,) samples of changing chords, another piece for every seed."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    sound = np.zeros_like(time)
    for start in range(0, time.size, rate):
        part = slice(start, start + rate)
        for semitone in rng.integers(-12, 18, size=4):
            sound[part] += np.sin(2 * np.pi * 220 * 2 ** (semitone / 12) * time[part])
    return (sound / 5).astype(np.float32)


def wav(samples: npt.NDArray[np.float32] | None = None, *, rate: int = RATE, channels: int = 1) -> bytes:
    """Write samples as 16-bit WAV, the same on every channel; three seconds of chords if none are given."""
    mono = chords(rate=rate) if samples is None else samples
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        pcm = (np.clip(mono, -1, 1) * 32767).astype("<i2")
        out.writeframes(np.repeat(pcm, channels).tobytes())
    return file.getvalue()


def silence(seconds: float = 3.0) -> bytes:
    return wav(np.zeros(round(RATE * seconds), np.float32))


def encoded(container: str, codec: str, *, seconds: float = 3.0, rate: int = 44100) -> bytes:
    """Encode chords with FFmpeg, for instance ``encoded("mp3", "libmp3lame")``."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast(AudioStream, out.add_stream(codec, rate=rate, options={"b": "128k"}, layout="mono"))
        pcm = (chords(seconds, rate=rate)[None, :] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()
