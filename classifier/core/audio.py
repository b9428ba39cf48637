"""Any audio file FFmpeg reads, from a file object, to mono float32 samples; or a reason a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 22050

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
]

AUDIO_ERROR_MESSAGES: dict[AudioErrorCode, str] = {
    "empty": "The file is empty. Choose the file again, or record a new take.",
    "not_audio": "This is not an audio file. Upload music as MP3, WAV, FLAC, Ogg, M4A or WebM.",
    "no_audio_stream": "The file holds no sound, only pictures or data. Upload a file with an audio track.",
    "truncated": "The file is damaged or incomplete. Export or download it again and retry.",
    "too_short": "The recording is too short. At least {minimum} s of sound are needed.",
    "too_long": "The recording is too long. At most {maximum} minutes can be analysed: cut it and retry.",
    "too_large": "The file is too large. At most {maximum} MB are accepted: send it as MP3 or shorten it.",
    "encrypted": "The file is copy-protected (DRM) and cannot be read. Upload an unprotected copy.",
    "unsupported": "The file uses an audio format ({codec}) that cannot be read. Convert it to MP3, WAV or FLAC.",
}


@dataclass(frozen=True, kw_only=True)
class AudioLimits:
    """What is accepted.

    Attributes
    ----------
    min_duration, max_duration : float
        Seconds of decoded audio.
    max_bytes : int
        Size of the file as it is sent.
    """

    min_duration: float = 1.0
    max_duration: float = 1200.0
    max_bytes: int = 100 * 2**20


class AudioError(Exception):
    """A file that cannot be analysed, and why.

    Attributes
    ----------
    code : AudioErrorCode
        Stable, for programs.
    params : dict
        What the template ``AUDIO_ERROR_MESSAGES[code]`` is formatted with.
    message : str
        An English sentence a person can act on.
    """

    def __init__(self, code: AudioErrorCode, **params: str | float) -> None:
        self.code: AudioErrorCode = code
        self.params: dict[str, str | float] = params
        self.message: str = AUDIO_ERROR_MESSAGES[code].format(**params)
        super().__init__(self.message)


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file says of itself, corrected by what was decoded.

    Attributes
    ----------
    duration : float
        Seconds; from ``probe`` an estimate, 0.0 when unknown; from ``decode`` exact.
    sample_rate : int
        Of the source, in hertz.
    channels : int
        Of the source.
    codec, container : str
        FFmpeg's names, such as ``mp3`` and ``mov,mp4,m4a,3gp,3g2,mj2``.
    bit_rate : int or None
        Bits per second, where known.
    """

    duration: float
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_rate: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """Decoded sound: mono ``samples`` (n,) float32, nominally in [-1, 1], at ``sample_rate`` hertz."""

    samples: npt.NDArray[np.float32]
    sample_rate: int = SAMPLE_RATE
    info: AudioInfo


def probe(file: BinaryIO, *, limits: AudioLimits = AudioLimits()) -> AudioInfo:
    """Look into a file without decoding it whole."""
    raise NotImplementedError


def decode(file: BinaryIO, *, limits: AudioLimits = AudioLimits()) -> Audio:
    """Decode a whole file."""
    raise NotImplementedError
