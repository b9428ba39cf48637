"""Sounds whose answer is known, and files made of them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

Float32 = npt.NDArray[np.float32]

RATE = 22050
C4 = 261.6256


def sine(frequency: float, seconds: float = 2.0, *, rate: int = RATE, amplitude: float = 0.5) -> Float32:
    """A pure tone."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency * time), np.float32)


def chord(*semitones: int, seconds: float = 2.0, rate: int = RATE, root: float = C4) -> Float32:
    """Equally loud pure tones, in semitones above ``root``."""
    tones = [sine(root * 2 ** (semitone / 12), seconds, rate=rate, amplitude=0.2) for semitone in semitones]
    return np.asarray(np.sum(tones, axis=0), np.float32)


def c_major(seconds: float = 2.0, *, rate: int = RATE) -> Float32:
    """C, E and G."""
    return chord(0, 4, 7, seconds=seconds, rate=rate)


def noise(seconds: float = 2.0, *, rate: int = RATE, amplitude: float = 0.1, seed: int = 0) -> Float32:
    """White noise."""
    return np.asarray(
        amplitude * np.random.default_rng(seed).standard_normal(round(seconds * rate)), np.float32
    )


def silence(seconds: float = 2.0, *, rate: int = RATE) -> Float32:
    """Nothing."""
    return np.zeros(round(seconds * rate), np.float32)


def tune(seconds: float = 8.0, *, rate: int = RATE, seed: int = 0) -> Float32:
    """Chords that change twice a second over a noisy beat: something like music."""
    rng = np.random.default_rng(seed)
    parts = [
        chord(*(int(rng.integers(0, 12)) + step for step in (0, 4, 7, 12)), seconds=0.5, rate=rate)
        for _ in range(int(np.ceil(seconds * 2)))
    ]
    sound = np.concatenate(parts)[: round(seconds * rate)]
    time = np.arange(sound.size) / rate
    sound += 0.1 * np.exp(-20 * np.mod(time, 0.5)) * rng.standard_normal(sound.size)
    return np.asarray(sound, np.float32)


# What an upload may be: container, encoder, sample format, rate.
CODECS = {
    "mp3": ("mp3", "libmp3lame", "fltp", 44100),
    "wav16": ("wav", "pcm_s16le", "s16", 44100),
    "wav24": ("wav", "pcm_s24le", "s32", 44100),
    "wav8": ("wav", "pcm_u8", "u8", 8000),
    "wav32": ("wav", "pcm_f32le", "flt", 48000),
    "wav64": ("wav", "pcm_f64le", "dbl", 192000),
    "flac": ("flac", "flac", "s16", 22050),
    "vorbis": ("ogg", "vorbis", "fltp", 44100),
    "opus": ("ogg", "libopus", "flt", 48000),
    "webm": ("webm", "libopus", "flt", 48000),
    "m4a": ("ipod", "aac", "fltp", 44100),
    "alac": ("ipod", "alac", "s16p", 44100),
    "adts": ("adts", "aac", "fltp", 44100),
    "aiff": ("aiff", "pcm_s16be", "s16", 44100),
    "g722": ("wav", "g722", "s16", 16000),
    "au": ("au", "pcm_s16be", "s16", 22050),
    "wma": ("asf", "wmav2", "fltp", 44100),
}


def encode(sound: Float32, kind: str = "wav16", *, rate: int | None = None, layout: str = "mono") -> bytes:
    """Make a file of ``sound``, mono at ``RATE`` hertz or (n_channels, n) at the target rate."""
    container_format, encoder, sample_format, default_rate = CODECS[kind]
    target = rate or default_rate
    if encoder == "vorbis":  # FFmpeg's own encoder is experimental and stereo only
        return _encode_vorbis(sound, target)
    mono = sound.ndim == 1
    interleaved = np.ascontiguousarray(sound.T).reshape(1, -1)
    frame = AudioFrame.from_ndarray(interleaved, "flt", "mono" if mono else layout)
    frame.sample_rate = RATE if mono else target
    output = io.BytesIO()
    with av.open(output, "w", format=container_format) as container:
        stream = container.add_stream(encoder, rate=target, layout=layout, format=sample_format)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = 128_000
        frame_size = 0 if encoder.startswith("pcm_") else stream.codec_context.frame_size
        resampler = AudioResampler(sample_format, layout, target, frame_size, {"rematrix_maxval": "1.0"})
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            ready.pts = None
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return output.getvalue()


def _encode_vorbis(sound: Float32, rate: int) -> bytes:
    resampler = AudioResampler("flt", "mono", rate)
    frame = AudioFrame.from_ndarray(sound[np.newaxis], "flt", "mono")
    frame.sample_rate = RATE
    parts = [ready.to_ndarray()[0] for ready in [*resampler.resample(frame), *resampler.resample(None)]]
    output = io.BytesIO()
    soundfile.write(output, np.concatenate(parts), rate, format="OGG", subtype="VORBIS")
    return output.getvalue()


def shared_data() -> Path | None:
    """The shared music, where it is at hand."""
    root = Path(os.environ.get("GENREWEB_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
    data = root / "data" / "gtzan"
    return data if data.is_dir() else None
