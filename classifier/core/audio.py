"""Decode audio files that FFmpeg reads, from file objects, to mono float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from classifier.core.audio_info import (
    AUDIO_ERROR_MESSAGES,
    DEFAULT_LIMITS,
    AudioError,
    AudioErrorCode,
    AudioInfo,
    AudioLimits,
)
from classifier.core.loudness import Loudness, LoudnessMeter
from classifier.core.mixdown import PhaseMeter, mean
from classifier.core.playback import (
    PLAYBACK_MEDIA_TYPE,
    PLAYBACK_SUFFIX,
    encode_playback,
    is_browser_playable,
)
from classifier.core.sources import Source, open_source

__all__ = [
    "AUDIO_ERROR_MESSAGES",
    "DEFAULT_LIMITS",
    "PLAYBACK_MEDIA_TYPE",
    "PLAYBACK_SUFFIX",
    "SAMPLE_RATE",
    "Audio",
    "AudioError",
    "AudioErrorCode",
    "AudioInfo",
    "AudioLimits",
    "Decode",
    "decode",
    "encode_playback",
    "is_browser_playable",
    "probe",
]

Float32 = npt.NDArray[np.float32]
# Sample rate, and channels (n_channels, n) or their mix (n,).
Blocks = Iterator[tuple[int, Float32]]

SAMPLE_RATE = 22050

_BLOCK_SAMPLES = 32768
# Encoders pad: seconds that a file may be longer than the limit.
_SLACK = 0.1
# Sums of the lengths of frames, and samples lost by resampling: far less than a thousandth of a second.
_ROUNDING = 0.001
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}
# Float files may use the range of integers; larger values are damage.
_LOUDEST = 1e10


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """Decoded sound: mono ``samples`` (n,) float32, nominally in [-1, 1], at ``sample_rate`` hertz.

    ``loudness`` is that of the channels as they are in the file, where it was asked for.
    """

    samples: Float32
    sample_rate: int = SAMPLE_RATE
    info: AudioInfo
    loudness: Loudness | None = None


class Decode(Protocol):
    """How a file is decoded: `decode`, or the same in another process."""

    def __call__(self, file: BinaryIO, /, *, limits: AudioLimits, loudness: bool = False) -> Audio: ...


def probe(file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS) -> AudioInfo:
    """Read the properties of a file by decoding about its first second: quick enough for a web request.

    A file whose header claims to be longer than the limit is decoded up to the limit, and refused only where
    so much is decoded: headers lie.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start.
    limits : AudioLimits

    Returns
    -------
    AudioInfo
        Its ``duration`` is the header's, or 0.0 if the header has none.

    Raises
    ------
    AudioError
        If the file cannot be analysed, as far as its header and what was decoded show.
    OSError
        If reading the file object fails.
    """
    with open_source(file, limits=limits) as source:
        seconds = 0.0
        doubtful = source.info.duration > limits.max_duration
        for frame in source.frames():
            seconds += frame.samples / frame.sample_rate
            if seconds > limits.max_duration + _SLACK:
                raise _too_long(limits)
            if seconds + _ROUNDING >= limits.min_duration and not doubtful:
                duration = source.info.duration
                return replace(source.info, duration=max(duration, seconds) if duration else 0.0)
        _check_length(seconds, limits)
        return replace(source.info, duration=seconds)


def decode(file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS, loudness: bool = False) -> Audio:
    """Decode a whole file to mono float32 at 22,050 Hz.

    Damaged passages are skipped. Channels are averaged, as librosa does; where one is inverted, so that they
    cancel, it is inverted back (`classifier.core.mixdown`).

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.
    limits : AudioLimits
        The decoded duration is checked, never that of the header.
    loudness : bool
        Whether to measure it too.

    Raises
    ------
    AudioError
        If the file is not audio, or is too damaged, protected, too short or too long.
    OSError
        If reading the file object fails.
    """
    phases = PhaseMeter()
    levels = LoudnessMeter() if loudness else None
    samples, info = _decode(file, limits=limits, mixed=lambda blocks: _metered(blocks, phases, levels))
    correction = phases.correction()
    if correction is not None:
        samples, info = _decode(file, limits=limits, mixed=correction.mix)
    peak = float(np.abs(samples).max())
    if peak > 4.0:
        samples *= np.float32(1.0 / peak)
    return Audio(samples=samples, info=info, loudness=levels.result() if levels else None)


def _metered(blocks: Blocks, phases: PhaseMeter, levels: LoudnessMeter | None) -> Blocks:
    for rate, channels in blocks:
        phases.add(rate, channels)
        if levels is not None:
            levels.add(rate, channels)
        yield rate, mean(channels)


def _decode(
    file: BinaryIO, *, limits: AudioLimits, mixed: Callable[[Blocks], Blocks]
) -> tuple[Float32, AudioInfo]:
    with open_source(file, limits=limits) as source:
        output = _Output(source.info.duration, limits)
        for rate, mono in mixed(_blocks(source)):
            output.push(mono, rate)
        samples = output.finish()
        _check_length(samples.size / SAMPLE_RATE, limits)
        return samples, source.info_after(samples.size / SAMPLE_RATE)


def _blocks(source: Source) -> Blocks:
    """Yield (sample rate, channels (n_channels, n)), in blocks large enough to amortise NumPy's call cost."""
    shape: tuple[int, str, str] = (0, "", "")
    gathered = AudioFifo()
    for frame in source.frames():
        frame_shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if gathered.samples and (frame_shape != shape or gathered.samples >= _BLOCK_SAMPLES):
            yield shape[0], _to_channels(gathered)
        if frame_shape != shape:
            shape, gathered = frame_shape, AudioFifo()
        frame.pts = None  # only the order of frames is used; damaged files have damaged time stamps
        gathered.write(frame)
    if gathered.samples:
        yield shape[0], _to_channels(gathered)


def _to_channels(gathered: AudioFifo) -> Float32:
    frame = gathered.read()
    if frame is None:
        return np.zeros((1, 0), np.float32)
    data: npt.NDArray[np.generic] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    kind = frame.format.name.removesuffix("p")
    if kind == "dbl":
        # What single precision cannot hold becomes infinite, and is damage.
        with np.errstate(over="ignore"):
            data = data.astype(np.float32)
    channels: Float32 = data.astype(np.float32, copy=False)
    if kind in _FULL_SCALE:
        zero = 128.0 if kind == "u8" else 0.0
        channels = np.subtract(channels, zero, dtype=np.float32)
        channels *= np.float32(1.0 / _FULL_SCALE[kind])
    # No comparison holds for what is not a number. Damage is silent, else all else would be so beside it.
    elif channels.size and not (channels.max() <= _LOUDEST and channels.min() >= -_LOUDEST):
        channels = np.where(np.abs(channels) <= _LOUDEST, channels, np.float32(0.0))
    return channels


class _Output:
    """Resample blocks into one array that grows with the decoded length."""

    def __init__(self, expected_duration: float, limits: AudioLimits) -> None:
        self._limits = limits
        self._most = int((limits.max_duration + _SLACK) * SAMPLE_RATE)
        # The system allocates pages only when they are written, so a wrong guess costs no memory.
        self._samples = np.empty(min(self._most, int((expected_duration + 5.0) * SAMPLE_RATE)), np.float32)
        self._length = 0
        self._rate = 0
        self._resampler: AudioResampler | None = None

    def push(self, mono: Float32, rate: int) -> None:
        if mono.size == 0:  # which FFmpeg's filters report as a lack of memory
            return
        if rate != self._rate:
            self._flush()
            self._rate = rate
            self._resampler = None if rate == SAMPLE_RATE else AudioResampler("flt", "mono", SAMPLE_RATE)
        if self._resampler is None:
            self._append(mono)
            return
        frame = AudioFrame.from_ndarray(mono[np.newaxis], "flt", "mono")
        frame.sample_rate = rate
        for ready in self._resampler.resample(frame):
            self._append(ready.to_ndarray()[0])

    def finish(self) -> Float32:
        self._flush()
        return self._samples[: self._length]

    def _flush(self) -> None:
        if self._resampler is not None:
            for ready in self._resampler.resample(None):
                self._append(ready.to_ndarray()[0])
            self._resampler = None

    def _append(self, samples: Float32) -> None:
        end = self._length + samples.size
        if end > self._most:
            raise _too_long(self._limits)
        if end > self._samples.size:
            grown = np.empty(min(self._most, max(end, 2 * self._samples.size)), np.float32)
            grown[: self._length] = self._samples[: self._length]
            self._samples = grown
        self._samples[self._length : end] = samples
        self._length = end


def _too_long(limits: AudioLimits) -> AudioError:
    return AudioError("too_long", maximum=round(limits.max_duration / 60, 1))


def _check_length(seconds: float, limits: AudioLimits) -> None:
    if seconds == 0:
        raise AudioError("truncated")
    if seconds + _ROUNDING < limits.min_duration:
        raise AudioError("too_short", minimum=limits.min_duration)
