"""Open an untrusted file as audio.

FFmpeg reads hundreds of formats, some of which (playlists, concatenations, streaming manifests) are
instructions to open other files or addresses. Here it gets a stream of bytes without a name, may only use the
demuxers and decoders listed below, and has neither a protocol nor a callback to open anything else.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal, NoReturn

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

av.logging.set_level(None)

AudioErrorCode = Literal[
    "empty",
    "not_audio",
    "no_audio_stream",
    "truncated",
    "too_short",
    "too_long",
    "too_large",
    "encrypted",
    "unsupported",
    "undecodable",
]


def gettext_noop(message: str) -> str:
    """Mark a sentence for translation and return it unchanged; the core itself does not translate."""
    return message


AUDIO_ERROR_MESSAGES: dict[AudioErrorCode, str] = {
    "empty": gettext_noop("The file is empty. Choose it again, or record a new take."),
    "not_audio": gettext_noop("This is not an audio file. Send music as MP3, WAV, FLAC, Ogg, M4A or WebM."),
    "no_audio_stream": gettext_noop(
        "The file holds no sound, only pictures or data. Send a file with an audio track."
    ),
    "truncated": gettext_noop("The file is damaged or incomplete. Export or download it again and retry."),
    "too_short": gettext_noop("The recording is too short: at least {minimum:g} s of sound are needed."),
    "too_long": gettext_noop(
        "The recording is too long: at most {maximum:g} minutes are accepted. Cut it and retry."
    ),
    "too_large": gettext_noop(
        "The file is too large: at most {maximum} MB are accepted. Send it as MP3, or cut it."
    ),
    "encrypted": gettext_noop(
        "The file is copy-protected (DRM) and cannot be read. Send an unprotected copy."
    ),
    "unsupported": gettext_noop(
        "The file's audio format ({codec}) is not supported. Convert it to MP3, WAV or FLAC."
    ),
    "undecodable": gettext_noop("The file overtaxes or breaks the decoder. Export it again, as MP3 or WAV."),
}

# FFmpeg's demuxer names. Left out on purpose: hls, dash, concat, sdp, rtsp, imf, image2, lavfi, devices, and
# every other format that refers to files or addresses.
FORMATS = (
    "wav,w64,aiff,au,caf,voc,ircam,mp3,aac,ac3,eac3,amr,flac,ogg,mov,matroska,asf,xwma,ape,wv,tta,tak,"
    "mpc,mpc8,dsf,qoa,avi,flv,mpegts,mpeg,truehd,dts"
)

DECODERS = (
    "mp1float,mp1,mp2float,mp2,mp3float,mp3,aac,aac_latm,alac,flac,vorbis,opus,speex,ac3,eac3,dca,truehd,mlp,"
    "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,wmav1,wmav2,wmapro,wmalossless,wmavoice,ape,wavpack,"
    "tta,tak,mpc7,mpc8,als,qoa,dsd_lsbf,dsd_lsbf_planar,dsd_msbf,dsd_msbf_planar,gsm,gsm_ms,mace3,mace6,"
    "nellymoser,qdm2,g722,g726,pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s8_planar,pcm_s16le,pcm_s16be,"
    "pcm_s16le_planar,pcm_s16be_planar,pcm_u16le,pcm_u16be,pcm_s24le,pcm_s24be,pcm_s24le_planar,pcm_u24le,"
    "pcm_u24be,pcm_s32le,pcm_s32be,pcm_s32le_planar,pcm_u32le,pcm_u32be,pcm_s64le,pcm_s64be,pcm_f16le,"
    "pcm_f24le,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_bluray,pcm_dvd,adpcm_ms,adpcm_ima_wav,"
    "adpcm_ima_qt,adpcm_yamaha,adpcm_swf"
)
_KNOWN_DECODERS = frozenset(DECODERS.split(","))

_OPEN_OPTIONS = {
    "format_whitelist": FORMATS,
    "codec_whitelist": DECODERS,
    "protocol_whitelist": "none",
    "probesize": str(2 * 2**20),
    "analyzeduration": "2000000",
    "max_streams": "64",
}

_ASF_MAGIC = b"0&\xb2u"
_MATROSKA_MAGIC = b"\x1aE\xdf\xa3"
_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff", _ASF_MAGIC, _MATROSKA_MAGIC)

# GUIDs of the content encryption objects of an ASF header, in file order (ASF specification, section 10.2).
_ASF_ENCRYPTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),
)
_ENCRYPTED_TAGS = frozenset({"drms", "enca", "aavd", "p7m "})

# Bits per second; a header whose duration implies less is wrong.
_MIN_PLAUSIBLE_BIT_RATE = 500.0
_MAX_DAMAGED_READS = 100
# Rates outside this range are damage, and would be resampled into gigabytes.
_MIN_RATE = 2_000
_MAX_RATE = 1_536_000
_MANY_CHANNELS = 8
_MAX_CHANNELS = 64


@dataclass(frozen=True, kw_only=True)
class AudioLimits:
    """Limits of the files that are accepted.

    Attributes
    ----------
    min_duration, max_duration : float
        Seconds of decoded audio.
    max_bytes : int
        Size of the file.
    """

    min_duration: float = 1.0
    max_duration: float = 1200.0
    max_bytes: int = 100 * 2**20


DEFAULT_LIMITS = AudioLimits()


class AudioError(Exception):
    """A file cannot be analysed.

    Attributes
    ----------
    code : AudioErrorCode
        Stable, for programs.
    params : dict
        Parameters of the template ``AUDIO_ERROR_MESSAGES[code]``.
    message : str
        An English sentence for users.
    """

    def __init__(self, code: AudioErrorCode, **params: str | float) -> None:
        self.code: AudioErrorCode = code
        self.params: dict[str, str | float] = params
        self.message: str = AUDIO_ERROR_MESSAGES[code].format(**params)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by their positional arguments, which would lose ``params``.
        return _rebuild_error, (self.code, self.params)


def _rebuild_error(code: AudioErrorCode, params: dict[str, str | float]) -> AudioError:
    return AudioError(code, **params)


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """Properties of a file from its header, corrected by the decoded sound.

    Attributes
    ----------
    duration : float
        Seconds; from ``probe`` an estimate, 0.0 if unknown; from ``decode`` exact.
    sample_rate : int
        Of the source, in hertz.
    channels : int
        Of the source.
    codec, container : str
        FFmpeg's names, such as ``mp3`` and ``mov,mp4,m4a,3gp,3g2,mj2``.
    bit_rate : int or None
        Bits per second, if known.
    """

    duration: float
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_rate: int | None = None


class _Reader(io.RawIOBase):
    """Wrapper that hides the name of a file from FFmpeg and keeps read errors to be raised later.

    FFmpeg treats a failing read as the end of the file, so that a storage error would look like a short song.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)[:size] if size >= 0 else self._file.read()
        except BaseException as failure:  # noqa: BLE001  FFmpeg's C code would swallow it, a worker's time limit too
            self.failure = failure
            return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):  # before the start of the file: FFmpeg asks and copes with a refusal
            return -1
        except BaseException as failure:  # noqa: BLE001  as above
            self.failure = failure
            return -1

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Leave the caller's file open."""


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("audio files may not open other files")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An open file and its first usable audio stream.

    Attributes
    ----------
    info : AudioInfo
        From the header; the duration is 0.0 if it is implausible for the size of the file.
    duration_is_exact : bool
        Whether the header's duration is a count rather than a guess from the bit rate.
    """

    info: AudioInfo
    duration_is_exact: bool
    _container: InputContainer
    _stream: AudioStream
    _reader: _Reader

    def frames(self) -> Iterator[AudioFrame]:
        """Yield decoded frames in order, skipping damaged ones.

        Raises
        ------
        OSError
            If reading the file object fails.
        """
        damaged = 0
        packets = self._container.demux(self._stream)
        while damaged < _MAX_DAMAGED_READS:
            try:
                packet = next(packets, None)
            except FFmpegError:
                damaged += 1
                packets = self._container.demux(self._stream)
                continue
            finally:
                if self._reader.failure is not None:
                    raise self._reader.failure
            if packet is None:
                return
            try:
                decoded = self._stream.codec_context.decode(packet)
            except FFmpegError:
                continue
            for frame in decoded:
                if frame.samples > 0 and _MIN_RATE <= frame.sample_rate <= _MAX_RATE:
                    yield from self._safe(frame)

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
    head = file.read(2**16)
    file.seek(0)
    if head.startswith(_ASF_MAGIC) and any(guid in head for guid in _ASF_ENCRYPTION):
        raise AudioError("encrypted")

    reader = _Reader(file)
    try:
        container = av.open(
            reader,
            mode="r",
            container_options=_OPEN_OPTIONS,
            metadata_errors="replace",
            io_open=_refuse,
            buffer_size=2**16,
        )
    except (FFmpegError, ValueError) as error:
        if reader.failure is not None:
            raise reader.failure from None
        known = head.startswith(_MAGIC) or head[4:8] == b"ftyp"
        raise AudioError("truncated" if known and "whitelist" not in str(error) else "not_audio") from error
    with container:
        if reader.failure is not None:
            raise reader.failure
        stream = _audio_stream(container)
        info, exact = _describe(container, stream, size=size, head=head)
        try:
            yield Source(
                info=info, duration_is_exact=exact, _container=container, _stream=stream, _reader=reader
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
    if stream.codec_tag in _ENCRYPTED_TAGS:
        raise AudioError("encrypted")
    if context.name not in _KNOWN_DECODERS:
        raise AudioError("unsupported", codec=context.name)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    context.thread_count = 1  # frames of audio are too small for threads to pay
    return stream


def _describe(
    container: InputContainer, stream: AudioStream, *, size: int, head: bytes
) -> tuple[AudioInfo, bool]:
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
    if duration > 0 and size * 8 / duration < _MIN_PLAUSIBLE_BIT_RATE:
        duration = 0.0
    # Without a table of frames FFmpeg extrapolates from the first ones, which is wrong after a quiet start.
    guessed = container.format.name in {"mp3", "aac"} and not (b"Xing" in head or b"Info" in head)
    info = AudioInfo(
        duration=duration,
        sample_rate=context.sample_rate,
        channels=context.channels,
        codec=codec,
        container=container.format.name,
        bit_rate=bit_rate,
    )
    return info, not guessed
