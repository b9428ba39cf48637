"""Music for benchmarks: real clips if the shared data are present, else synthesised chords and drums."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from classifier.core.audio import SAMPLE_RATE, decode

Float32 = npt.NDArray[np.float32]

RATE = 44100
_CHUNK = 30 * SAMPLE_RATE


def mp3(seconds: float, *, offset: float = 0.0) -> bytes:
    """Encode a stereo MP3 at 44.1 kHz and 192 kbit/s that begins ``offset`` seconds into the music."""
    mono = _music(seconds, offset)
    output = io.BytesIO()
    with av.open(output, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="stereo", format="fltp")
        stream.bit_rate = 192_000
        resampler = AudioResampler("fltp", "mono", RATE)
        for start in range(0, mono.size, _CHUNK):
            frame = AudioFrame.from_ndarray(mono[np.newaxis, start : start + _CHUNK], "fltp", "mono")
            frame.sample_rate = SAMPLE_RATE
            for ready in resampler.resample(frame):
                container.mux(stream.encode(_widened(ready)))
        for ready in resampler.resample(None):
            container.mux(stream.encode(_widened(ready)))
        container.mux(stream.encode(None))
    return output.getvalue()


def _widened(frame: AudioFrame) -> AudioFrame:
    """Make two channels that differ slightly."""
    left = np.asarray(frame.to_ndarray()[0], np.float32)
    wide = AudioFrame.from_ndarray(np.stack((left, np.float32(0.9) * np.roll(left, 13))), "fltp", "stereo")
    wide.sample_rate = RATE
    return wide


def variants(n: int, *, seconds: float = 30.0) -> list[bytes]:
    """Make ``n`` files of different content, so that none is detected as a duplicate."""
    return [mp3(seconds, offset=7.3 * i) for i in range(n)]


def _music(seconds: float, offset: float) -> Float32:
    clips = _clips()
    need, position = int(seconds * SAMPLE_RATE), int(offset * SAMPLE_RATE)
    parts: list[Float32] = []
    total = sum(clip.size for clip in clips)
    position %= total
    for clip in [*clips] * (2 + need // total):
        if position >= clip.size:
            position -= clip.size
            continue
        parts.append(clip[position : position + need])
        need -= parts[-1].size
        position = 0
        if need <= 0:
            break
    return np.concatenate(parts)


@lru_cache(maxsize=1)
def _clips() -> list[Float32]:
    shared = Path(os.environ.get("GENREWEB_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
    files = sorted((shared / "data" / "gtzan" / "lossless").glob("*.flac"))
    clips = []
    for path in files:
        with path.open("rb") as file:
            clips.append(decode(file).samples)
    return clips or [_synthesised(chord) for chord in range(8)]


def _synthesised(seed: int) -> Float32:
    """Thirty seconds of changing chords over a beat of noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(30 * SAMPLE_RATE) / SAMPLE_RATE
    sound = np.zeros(time.size)
    for start in range(0, 30, 2):
        root = 110.0 * 2.0 ** (rng.integers(0, 12) / 12.0)
        inside = (time >= start) & (time < start + 2)
        for ratio in (1.0, 1.25, 1.5, 2.0, 3.0, 4.0):
            sound[inside] += np.sin(2 * np.pi * root * ratio * time[inside]) / ratio
    beat = np.exp(-20.0 * np.mod(time, 0.5))
    sound += 0.5 * beat * rng.standard_normal(time.size)
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)
