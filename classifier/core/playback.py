"""Renditions that every browser plays, for files that some do not."""

from __future__ import annotations

import io
import math
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from classifier.core.sources import DEFAULT_LIMITS, AudioError, AudioInfo, AudioLimits, open_source

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
# WebM is left out: what a browser's recorder writes says neither how long it is nor where a second lies, so
# that no browser can seek in it.
_BIT_RATE = {1: 112_000, 2: 192_000}


def is_browser_playable(info: AudioInfo) -> bool:
    """Whether the browsers in use play this codec in this container as it is."""
    return any(info.codec in _PLAYABLE.get(name, ()) for name in info.container.split(","))


def encode_playback(
    file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS, start: float = 0.0, end: float = math.inf
) -> bytes:
    """Render ``file`` as MP3, mono or stereo as it is.

    MP3 at a constant bit rate because it is the one compressed format that every browser plays and in which
    it finds any second exactly without an index.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.
    limits : AudioLimits
        The least duration holds for what is rendered, the greatest for the whole file.
    start, end : float
        The piece to render, in seconds of decoded sound: a damaged or missing time stamp moves nothing.

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
    seconds = rendered = 0.0
    with open_source(file, limits=limits) as source:
        channels = 1 if source.info.channels == 1 else 2
        rate = 48000 if source.info.sample_rate % 8000 == 0 else 44100
        with av.open(output, "w", format="mp3") as container:
            stream = container.add_stream("libmp3lame", rate=rate)
            stream.layout = "mono" if channels == 1 else "stereo"
            stream.format = "fltp"
            stream.bit_rate = _BIT_RATE[channels]
            resampler: AudioResampler | None = None
            shape: tuple[str, str, int] | None = None
            for whole in source.frames():
                begin, seconds = seconds, seconds + whole.samples / whole.sample_rate
                if seconds > limits.max_duration:
                    raise AudioError("too_long", maximum=round(limits.max_duration / 60, 1))
                if seconds <= start:
                    continue
                if begin >= end:
                    break
                frame = _cut(whole, start - begin, end - begin)
                if frame is None:
                    continue
                rendered += frame.samples / frame.sample_rate
                frame.pts = None
                if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                    for ready in resampler.resample(None) if resampler is not None else []:
                        container.mux(stream.encode(ready))
                    shape = (frame.format.name, frame.layout.name, frame.sample_rate)
                    resampler = AudioResampler(
                        "fltp", stream.layout, rate, stream.frame_size, {"rematrix_maxval": "1.0"}
                    )
                for ready in resampler.resample(frame) if resampler is not None else []:
                    ready.pts = None
                    container.mux(stream.encode(ready))
            for ready in resampler.resample(None) if resampler is not None else []:
                ready.pts = None
                container.mux(stream.encode(ready))
            container.mux(stream.encode(None))
    # A sample more or less where the piece ends between two of them.
    if rendered + 0.01 < limits.min_duration:
        raise AudioError("too_short", minimum=limits.min_duration)
    return output.getvalue()


def _cut(frame: AudioFrame, start: float, end: float) -> AudioFrame | None:
    """Keep what lies between two times, in seconds from the frame's own beginning."""
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
