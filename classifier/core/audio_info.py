"""What is said of an audio file: the limits it must keep, its properties, and why it cannot be analysed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    expected_duration : float or None
        Seconds that the file should hold, if less could be decoded: it was cut off, or is damaged.
    damaged : bool
        Whether passages were skipped, so that what was decoded is not just the beginning.
    seekable : bool
        Whether the header tells players the truth: the file is one, as long as it claims.
    """

    duration: float
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_rate: int | None = None
    expected_duration: float | None = None
    damaged: bool = False
    seekable: bool = True
