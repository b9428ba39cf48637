"""Encode whole sounds in the formats and bit rates that music players ask for, and begin later in a copy."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from classifier.core.audio_info import DEFAULT_LIMITS, AudioError, AudioLimits
from classifier.core.sources import open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A format that sounds are encoded in.

    Attributes
    ----------
    name, suffix : str
        As players name it, and the suffix of its files.
    container, codec, sample_format : str
        By FFmpeg's names.
    rates : tuple of int
        Sample rates in Hz; a source of another rate becomes the first, or the second where that is a whole
        multiple of 8 kHz.
    bit_rates : tuple of int
        In kbit/s, ascending.
    default : int
        Where no limit is given, in kbit/s.
    options : mapping
        Of the encoder.
    header_is_last : bool
        Whether the header of a file is written once its length is known; it is not needed to play the packets
        behind it, and an ID3v2 tag may stand in its place.
    """

    name: str
    suffix: str
    container: str
    codec: str
    sample_format: str
    rates: tuple[int, ...]
    bit_rates: tuple[int, ...]
    default: int
    options: Mapping[str, str] = field(default_factory=dict)
    header_is_last: bool = False

    def rate_for(self, rate: int) -> int:
        """Choose the sample rate for a source of `rate`."""
        return self.rates[-1] if rate % 8000 == 0 else self.rates[0]


_CD_AND_VIDEO: Final = (44_100, 48_000)
TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for target in (
        Target(
            name="mp3",
            suffix=".mp3",
            container="mp3",
            codec="libmp3lame",
            sample_format="fltp",
            rates=_CD_AND_VIDEO,
            bit_rates=(32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
            default=192,
            # LAME's quality 7 takes half the time of its default, 5: somebody waits for it.
            options={"compression_level": "7"},
            header_is_last=True,
        ),
        Target(
            name="opus",
            suffix=".opus",
            container="ogg",
            codec="libopus",
            sample_format="flt",
            rates=(48_000,),
            bit_rates=(32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256),
            default=128,
            options={"vbr": "constrained", "compression_level": "5"},
        ),
        Target(
            name="aac",
            suffix=".aac",
            container="adts",
            codec="aac",
            sample_format="fltp",
            rates=_CD_AND_VIDEO,
            bit_rates=(48, 64, 80, 96, 112, 128, 160, 192, 224, 256),
            default=192,
        ),
    )
}
"""By name."""
_DEMUXERS: Final = {"adts": "aac"}
"""Where FFmpeg reads a format by another name than it writes it."""
_WRITTEN_AT_ONCE: Final = 4096


Sink = Callable[[bytes], None]


def _ignore(part: bytes) -> None:
    """Take what nobody waits for."""


class _Passing(io.BytesIO):
    """A file in memory that also passes on what is written to it, one part after the other."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def write(self, part: Any, /) -> int:
        self._sink(bytes(part))
        return super().write(part)


class _BehindHeader:
    """Passes on packets behind a tag that is as long as the header which the file in `output` has."""

    def __init__(self, output: io.BytesIO, sink: Sink) -> None:
        self._output, self._sink = output, sink
        self._waiting: list[bytes] = []
        self._has_begun = False

    def __call__(self, packet: bytes) -> None:
        if self._has_begun:
            self._sink(packet)
        else:
            self._waiting.append(packet)
            self.begin()

    def begin(self) -> None:
        """Pass on what waits, if the first packet has been written and so the header's length is known."""
        if self._has_begun or not self._waiting:
            return
        length = self._output.getvalue().find(self._waiting[0])
        if length >= 0:
            self._has_begun = True
            for part in (_tag(length), *self._waiting):
                self._sink(part)


def _tag(length: int) -> bytes:
    """Write an ID3v2.4 tag of `length` bytes that names the encoder; nothing where that is too short."""
    frame = b"TSSE" + bytes([0, 0, 0, 5, 0, 0, 3]) + b"LAME"
    room = length - 10
    if room < len(frame):
        return b""
    # Seven bits of each byte hold the size.
    size = bytes(room >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([4, 0, 0]) + size + frame.ljust(room, b"\0")


def encode_copy(
    file: BinaryIO,
    target: Target,
    *,
    bit_rate: int,
    limits: AudioLimits = DEFAULT_LIMITS,
    sink: Sink = _ignore,
) -> bytes:
    """Encode a whole sound, mono or stereo like the source, without its tags.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.
    target : Target
    bit_rate : int
        In kbit/s.
    limits : AudioLimits
    sink : callable
        Is given the parts of a file as they are encoded: of what is returned or, where its header is written
        last, of one that is as long and the same behind the header.

    Returns
    -------
    bytes
        A file of the target's format.

    Raises
    ------
    AudioError
        As for ``audio.decode``.
    """
    output = io.BytesIO() if target.header_is_last else _Passing(sink)
    behind_header = _BehindHeader(output, sink) if target.header_is_last else None
    seconds = 0.0
    with (
        open_source(file, limits=limits) as source,
        # A small buffer: at low bit rates the usual one holds ten seconds.
        av.open(output, "w", format=target.container, buffer_size=_WRITTEN_AT_ONCE) as container,
    ):
        encoder = FrameEncoder(
            container,
            target,
            channels=min(2, source.info.channels),
            rate=source.info.sample_rate,
            bit_rate=1000 * bit_rate,
            sink=behind_header or _ignore,
        )
        for frame in source.frames():
            seconds += frame.samples / frame.sample_rate
            if seconds > limits.max_duration:
                raise AudioError("too_long", maximum=round(limits.max_duration / 60, 1))
            encoder.push(frame)
        encoder.finish()
    if seconds < limits.min_duration:
        raise AudioError("too_short", minimum=limits.min_duration)
    if behind_header:
        behind_header.begin()
    return output.getvalue()


def copy_from(file: BinaryIO, target: Target, *, start: float) -> bytes:
    """Give the part of a file of `encode_copy` that begins at ``start`` seconds, without encoding it again.

    It begins with the packet in which that second lies; the last packet is always in it.

    Raises
    ------
    AudioError
        ``undecodable`` where the file holds no such sound.
    """
    output = io.BytesIO()
    with av.open(file, "r", format=_DEMUXERS.get(target.container, target.container)) as source:
        if not source.streams.audio:
            raise AudioError("undecodable")
        stream = source.streams.audio[0]
        ticks = start / float(stream.time_base or 1)
        packets = [
            (packet.pts, packet) for packet in source.demux(stream) if packet.size and packet.pts is not None
        ]
        if not packets:
            raise AudioError("undecodable")
        ends = (pts + (packet.duration or 0) for pts, packet in packets)
        first = next((place for place, end in enumerate(ends) if end > ticks), len(packets) - 1)
        zero = packets[first][0]
        with av.open(output, "w", format=target.container) as container:
            copied = container.add_stream_from_template(stream)
            for pts, packet in packets[first:]:
                packet.pts = packet.dts = pts - zero
                packet.stream = copied
                container.mux(packet)
    return output.getvalue()


class FrameEncoder:
    """Resamples frames, whose format may change, to the format of one stream and encodes them.

    The packets go into the container and, one by one, to the sink.
    """

    def __init__(
        self,
        container: OutputContainer,
        target: Target,
        *,
        channels: int,
        rate: int,
        bit_rate: int,
        sink: Sink = _ignore,
    ) -> None:
        self._container = container
        self._sink = sink
        self._rate = target.rate_for(rate)
        stream = container.add_stream(target.codec, rate=self._rate, options=dict(target.options))
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{target.codec} encodes no sound")
        stream.layout = "mono" if channels == 1 else "stereo"
        stream.format = target.sample_format
        stream.bit_rate = bit_rate
        self._stream = stream
        self._resampler: AudioResampler | None = None
        self._shape: tuple[str, str, int] | None = None

    def push(self, frame: AudioFrame) -> None:
        """Encode a frame."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or shape != self._shape:
            self._flush()
            self._shape = shape
            self._resampler = AudioResampler(
                self._stream.format,
                self._stream.layout,
                self._rate,
                self._stream.frame_size,
                {"rematrix_maxval": "1.0"},
            )
        frame.pts = None
        self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        """Encode what is left."""
        self._flush()
        self._mux(self._stream.encode(None))

    def _flush(self) -> None:
        if self._resampler is not None:
            self._encode(self._resampler.resample(None))

    def _encode(self, frames: Iterable[AudioFrame]) -> None:
        for frame in frames:
            frame.pts = None
            self._mux(self._stream.encode(frame))

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            self._sink(bytes(packet))
            self._container.mux(packet)
