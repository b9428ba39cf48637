"""Open an untrusted file as audio.

FFmpeg reads hundreds of formats, some of which (playlists, concatenations, streaming manifests) are
instructions to open other files or addresses. Here it gets a stream of bytes without a name, may only use the
demuxers and decoders listed in `formats`, and has neither a protocol nor a callback to open anything else.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, NoReturn

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from classifier.core.audio_info import DEFAULT_LIMITS, AudioError, AudioInfo, AudioLimits
from classifier.core.formats import (
    ASF_ENCRYPTION,
    ASF_MAGIC,
    ENCRYPTED_TAGS,
    KNOWN_DECODERS,
    MAGIC,
    OPEN_OPTIONS,
)
from classifier.core.header_duration import (
    MIN_PLAUSIBLE_BIT_RATE,
    Claim,
    Tally,
    claim_of,
    is_near,
    wav_is_understated,
)
from classifier.core.joined import Part, PartReader, parts

av.logging.set_level(None)

_MAX_DAMAGED_READS = 100
# Rates outside this range are damage, and would be resampled into gigabytes.
_MIN_RATE = 2_000
_MAX_RATE = 1_536_000
_MANY_CHANNELS = 8
_MAX_CHANNELS = 64


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("audio files may not open other files")


@dataclass(frozen=True, kw_only=True)
class _OpenPart:
    """One of the files that a file is joined of, and its first usable audio stream."""

    info: AudioInfo
    claim: Claim | None
    size: int
    container: InputContainer
    stream: AudioStream
    reader: PartReader


class Source:
    """An open file.

    Attributes
    ----------
    info : AudioInfo
        From the header; the duration is 0.0 if it is implausible for the size of the file, or if the file is
        joined of several.
    """

    def __init__(self, first: _OpenPart, rest: list[Part], *, file: BinaryIO, complete: bool) -> None:
        self.info = first.info if not rest else replace(first.info, duration=0.0)
        self._first = first
        self._rest = rest
        self._file = file
        self._tally = Tally()
        if not complete:
            self._tally.skip(size_of(file) - rest[-1][1])

    def frames(self) -> Iterator[AudioFrame]:
        """Yield decoded frames in order, skipping damaged ones.

        Raises
        ------
        OSError
            If reading the file object fails.
        """
        yield from self._frames_of(self._first)
        for begin, end in self._rest:
            try:
                with _open_part(self._file, begin, end) as part:
                    yield from self._frames_of(part)
            except AudioError:
                self._tally.skip(end - begin)

    def info_after(self, duration: float) -> AudioInfo:
        """Describe the file after all its frames were read, which gave ``duration`` seconds."""
        expected = self._tally.expected_duration(duration)
        claim = self._first.claim
        seconds = claim.seconds if claim is not None else self._first.info.duration
        return replace(
            self.info,
            duration=duration,
            expected_duration=expected,
            damaged=expected is not None and self._tally.is_damaged,
            seekable=not self._rest and is_near(seconds or duration, duration),
        )

    def _frames_of(self, part: _OpenPart) -> Iterator[AudioFrame]:
        damaged_reads = n_bytes = 0
        seconds = lost = 0.0
        packets = part.container.demux(part.stream)
        while damaged_reads < _MAX_DAMAGED_READS:
            try:
                packet = next(packets, None)
            except FFmpegError:
                damaged_reads += 1
                packets = part.container.demux(part.stream)
                continue
            finally:
                if part.reader.failure is not None:
                    raise part.reader.failure
            if packet is None:
                break
            try:
                decoded = part.stream.codec_context.decode(packet)
            except FFmpegError:
                lost += float((packet.duration or 0) * (packet.time_base or 0))
                continue
            n_bytes += packet.size
            for frame in decoded:
                if frame.samples > 0 and _MIN_RATE <= frame.sample_rate <= _MAX_RATE:
                    seconds += frame.samples / frame.sample_rate
                    yield from self._safe(frame)
        if part.claim is not None:
            missing = part.claim.missing(seconds, n_bytes)
        elif damaged_reads == _MAX_DAMAGED_READS:
            missing = seconds * (part.size / max(1, part.reader.tell()) - 1.0)
        else:
            missing = lost
        self._tally.add(decoded=seconds, decoded_bytes=n_bytes, n_bytes=part.size, missing=missing)

    def _safe(self, frame: AudioFrame) -> list[AudioFrame]:
        """Interleave planar frames of eight channels or more.

        PyAV 18 counts the planes of a frame up to a null pointer that FFmpeg only writes for fewer channels.
        """
        if not frame.format.is_planar or frame.layout.nb_channels < _MANY_CHANNELS:
            return [frame]
        if frame.layout.nb_channels > _MAX_CHANNELS:
            return []
        frame.pts = None
        packed = frame.format.packed
        return AudioResampler(packed, frame.layout, frame.sample_rate).resample(frame)


def size_of(file: BinaryIO) -> int:
    """Size in bytes of a seekable file, which is left at its start."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _open(
    reader: PartReader, *, options: dict[str, str] = OPEN_OPTIONS, metadata_errors: str = "replace"
) -> InputContainer:
    return av.open(
        reader,
        mode="r",
        container_options=options,
        metadata_errors=metadata_errors,
        io_open=_refuse,
        buffer_size=2**16,
    )


@contextmanager
def open_container(file: BinaryIO, *, metadata_errors: str) -> Iterator[InputContainer]:
    """Open a file for its metadata, under the same restrictions as for its sound.

    Raises
    ------
    FFmpegError, ValueError
        If FFmpeg cannot read it.
    OSError
        If reading the file object fails.
    """
    reader = PartReader(file, 0, size_of(file))
    try:
        with _open(reader, metadata_errors=metadata_errors) as container:
            yield container
    finally:
        if reader.failure is not None:
            raise reader.failure


@contextmanager
def open_source(file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS) -> Iterator[Source]:
    """Open ``file`` (seekable, binary) from its start.

    Raises
    ------
    AudioError
        ``empty``, ``too_large``, ``not_audio``, ``no_audio_stream``, ``truncated``, ``encrypted``,
        ``unsupported``.
    OSError
        If reading the file object fails.
    """
    size = size_of(file)
    if size == 0:
        raise AudioError("empty")
    if size > limits.max_bytes:
        raise AudioError("too_large", maximum=limits.max_bytes // 2**20)
    ((begin, end), *rest), complete = parts(file, size)
    with _open_part(file, begin, end) as first:
        yield Source(first, rest, file=file, complete=complete)


@contextmanager
def _open_part(file: BinaryIO, begin: int, end: int) -> Iterator[_OpenPart]:
    reader = PartReader(file, begin, end)
    head = reader.read(2**16)
    options = OPEN_OPTIONS
    if head.startswith(b"RIFF") and wav_is_understated(reader, end - begin):
        options = {**OPEN_OPTIONS, "ignore_length": "1"}
    reader.seek(0)
    if head.startswith(ASF_MAGIC) and any(guid in head for guid in ASF_ENCRYPTION):
        raise AudioError("encrypted")
    try:
        container = _open(reader, options=options)
    except (FFmpegError, ValueError) as error:
        if reader.failure is not None:
            raise reader.failure from None
        known = head.startswith(MAGIC) or head[4:8] == b"ftyp"
        raise AudioError("truncated" if known and "whitelist" not in str(error) else "not_audio") from error
    with container:
        if reader.failure is not None:
            raise reader.failure
        stream = _audio_stream(container)
        try:
            yield _OpenPart(
                info=_describe(container, stream, size=end - begin),
                claim=claim_of(container, stream, reader, end - begin),
                size=end - begin,
                container=container,
                stream=stream,
                reader=reader,
            )
        except FFmpegError as error:
            raise reader.failure or AudioError("truncated") from error


def _audio_stream(container: InputContainer) -> AudioStream:
    streams = container.streams.audio
    if not streams:
        raise AudioError("no_audio_stream")
    best = container.streams.best("audio")
    stream = best if isinstance(best, AudioStream) else streams[0]
    context = stream.codec_context
    # A stream without a decoder has no context in PyAV, contrary to its annotations.
    if context is None:
        raise AudioError("unsupported", codec="unknown")
    if _codec_tag(stream) in ENCRYPTED_TAGS:
        raise AudioError("encrypted")
    if context.name not in KNOWN_DECODERS:
        raise AudioError("unsupported", codec=context.name)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    context.thread_count = 1  # frames of audio are too small for threads to pay
    return stream


def _codec_tag(stream: AudioStream) -> str:
    """Return the four characters by which the container names the codec; WAV and AVI have numbers instead.

    PyAV reads them as ASCII: some numbers, as of AAC and G.722 in a WAV file, cannot be read so.
    """
    try:
        return stream.codec_tag
    except UnicodeDecodeError:
        return ""


def _describe(container: InputContainer, stream: AudioStream, *, size: int) -> AudioInfo:
    context = stream.codec_context
    codec = context.codec.canonical_name
    bit_rate = context.bit_rate or container.bit_rate or None
    duration = 0.0
    if container.duration is not None:
        duration = max(0.0, container.duration / av.time_base)
    elif stream.duration is not None and stream.time_base is not None:
        duration = max(0.0, float(stream.duration * stream.time_base))
    if codec.startswith("pcm_") and context.bit_rate:
        duration = min(duration, size * 8 / context.bit_rate) if duration else size * 8 / context.bit_rate
    if duration > 0 and size * 8 / duration < MIN_PLAUSIBLE_BIT_RATE:
        duration = 0.0
    return AudioInfo(
        duration=duration,
        sample_rate=context.sample_rate,
        channels=context.channels,
        codec=codec,
        container=container.format.name,
        bit_rate=bit_rate,
    )
