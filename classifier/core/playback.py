"""Encode renditions that every browser plays, for files that some browsers do not."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from classifier.core.audio_info import DEFAULT_LIMITS, AudioError, AudioInfo, AudioLimits
from classifier.core.encoding import TARGETS, FrameEncoder
from classifier.core.sources import Source, open_source

PLAYBACK_MEDIA_TYPE = "audio/mpeg"
PLAYBACK_SUFFIX = ".mp3"

_PLAYABLE = {
    "wav": {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"},
    "mp3": {"mp3"},
    "aac": {"aac"},
    "flac": {"flac"},
    "ogg": {"vorbis", "opus", "flac"},
    "mov": {"aac", "mp3", "flac", "opus"},
}
# WebM is left out: recordings of browsers contain neither their duration nor an index, so that no browser can
# seek in them.
_BIT_RATE = {1: 112_000, 2: 192_000}
# Made once and kept: it may take its time.
_MP3 = replace(TARGETS["mp3"], options={})


def is_browser_playable(info: AudioInfo) -> bool:
    """Whether current browsers play this codec in this container, and can seek in it."""
    return info.seekable and any(info.codec in _PLAYABLE.get(name, ()) for name in info.container.split(","))


def encode_playback(
    file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS, start: float = 0.0, end: float = math.inf
) -> bytes:
    """Render ``file`` as MP3, mono or stereo like the source.

    MP3 at a constant bit rate is the one compressed format that every browser plays and in which it can seek
    exactly without an index.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.
    limits : AudioLimits
        The minimum duration applies to the rendered piece, the maximum to the whole file.
    start, end : float
        The piece to render, in seconds of decoded sound; time stamps in the file are ignored.

    Returns
    -------
    bytes
        An MP3 file, media type ``PLAYBACK_MEDIA_TYPE``.

    Raises
    ------
    AudioError
        As for ``audio.decode``.
    """
    output = io.BytesIO()
    rendered = 0.0
    with (
        open_source(file, limits=limits) as source,
        av.open(output, "w", format="mp3") as container,
    ):
        channels = 1 if source.info.channels == 1 else 2
        encoder = FrameEncoder(
            container, _MP3, channels=channels, rate=source.info.sample_rate, bit_rate=_BIT_RATE[channels]
        )
        for frame in _frames_between(source, limits, start, end):
            rendered += frame.samples / frame.sample_rate
            encoder.push(frame)
        encoder.finish()
    # Cutting may round by a sample at either end.
    if rendered + 0.01 < limits.min_duration:
        raise AudioError("too_short", minimum=limits.min_duration)
    return output.getvalue()


def _frames_between(source: Source, limits: AudioLimits, start: float, end: float) -> Iterator[AudioFrame]:
    """Yield the decoded frames of a piece, its first and last frame cut to size."""
    seconds = 0.0
    for whole in source.frames():
        begin, seconds = seconds, seconds + whole.samples / whole.sample_rate
        if seconds > limits.max_duration:
            raise AudioError("too_long", maximum=round(limits.max_duration / 60, 1))
        if begin >= end:
            break
        frame = _cut(whole, start - begin, end - begin) if seconds > start else None
        if frame is not None:
            yield frame


def _cut(frame: AudioFrame, start: float, end: float) -> AudioFrame | None:
    """Keep the samples between two times, in seconds from the beginning of the frame."""
    first = max(0, round(start * frame.sample_rate))
    last = min(frame.samples, round(end * frame.sample_rate)) if end < math.inf else frame.samples
    if first == 0 and last == frame.samples:
        return frame
    if first >= last:
        return None
    data = frame.to_ndarray()
    step = 1 if frame.format.is_planar else frame.layout.nb_channels
    part: NDArray[Any] = np.ascontiguousarray(data[:, first * step : last * step])
    kept = AudioFrame.from_ndarray(part, format=frame.format.name, layout=frame.layout.name)
    kept.sample_rate = frame.sample_rate
    return kept
