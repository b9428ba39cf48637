"""How long a file claims to be, where its header counts it.

A claim is never believed over what is decoded. It tells whether all of a file could be read: a file that was
cut off, or is damaged, decodes to less than its header counted.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from classifier.core.joined import PartReader

# Formats whose headers, or indices, count samples; of others FFmpeg extrapolates from the first packets.
_COUNTED = frozenset(
    [
        "wav",
        "w64",
        "aiff",
        "au",
        "caf",
        "flac",
        "ogg",
        "mov",
        "matroska",
        "ape",
        "wv",
        "tta",
        "tak",
        "dsf",
        "mpc8",
    ]
)
# Bits per second; a header whose duration implies less is wrong.
MIN_PLAUSIBLE_BIT_RATE = 500.0
# A WAV that was written as a stream has the largest size that fits.
_STREAMED_BYTES = 2**31 - 2**16

# What may be missing without being told: encoders' delays, rounding.
_TOLERANCE_SECONDS = 1.0
_TOLERANCE = 0.01
# What a header may be wrong by and players still seek well.
_HEADER_TOLERANCE = 0.05

_XING_FRAMES, _XING_BYTES = 1, 2
_ID3_HEADER = 10
_HEAD = 2**16
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_CHUNK_NAME = re.compile(rb"[A-Za-z0-9_ ]{4}")
_FIRST_FRAME = re.compile(rb"\xff[\xe2-\xff].{2,64}?(?:Xing|Info)(.{12})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a header counts.

    Attributes
    ----------
    seconds : float
    n_bytes : int or None
        Of the sound; where so many were decoded to less than ``seconds``, the header is wrong.
    """

    seconds: float
    n_bytes: int | None = None

    def missing(self, decoded: float, n_bytes: int) -> float:
        """Seconds that were not decoded, of ``decoded`` seconds that ``n_bytes`` bytes of packets gave."""
        if self.n_bytes is not None and n_bytes >= 0.95 * self.n_bytes:
            return 0.0
        return max(0.0, self.seconds - decoded)


class Tally:
    """How much of a file was decoded, and how much was not."""

    def __init__(self) -> None:
        self._decoded = self._missing = self._lost = 0.0
        self._part_bytes = self._skipped_bytes = 0

    def add(self, *, decoded: float, decoded_bytes: int, n_bytes: int, missing: float) -> None:
        """Take account of a part: ``decoded_bytes`` of its ``n_bytes`` gave ``decoded`` seconds."""
        self._decoded += decoded
        self._part_bytes += n_bytes
        self._missing += missing
        if missing > _TOLERANCE_SECONDS and decoded_bytes:
            self._lost += decoded * max(0, n_bytes - decoded_bytes) / decoded_bytes

    def skip(self, n_bytes: int) -> None:
        """Take account of bytes that could not be read; they are as long as those that could."""
        self._skipped_bytes += n_bytes

    def expected_duration(self, duration: float) -> float | None:
        """Seconds that should have been decoded instead of ``duration``; None if hardly any are missing."""
        missing = self._missing + self._decoded * self._skipped_bytes / max(1, self._part_bytes)
        if missing <= max(_TOLERANCE_SECONDS, _TOLERANCE * (duration + missing)):
            return None
        return duration + missing

    @property
    def is_damaged(self) -> bool:
        """Whether passages within what was decoded are missing, as far as bytes that gave no sound show."""
        return self._lost > _TOLERANCE_SECONDS


def is_near(claimed: float, duration: float) -> bool:
    """Whether a player that believes ``claimed`` seconds can seek in ``duration`` seconds."""
    return abs(claimed - duration) <= max(_TOLERANCE_SECONDS, _HEADER_TOLERANCE * duration)


def claim_of(container: InputContainer, stream: AudioStream, file: PartReader, size: int) -> Claim | None:
    """Read what the header of an open file counts; None where it counts nothing that can be believed.

    Parameters
    ----------
    container, stream
        The open file and its audio stream.
    file : PartReader
        The same file; its position is kept.
    size : int
        In bytes.
    """
    names = set(container.format.name.split(","))
    claim = None
    before = file.tell()
    try:
        if "mp3" in names:
            claim = _mp3_claim(stream, file)
        elif "asf" in names:
            claim = _asf_claim(file)
        elif names & _COUNTED:
            claim = Claim(_counted_duration(container, stream, file) or 0.0)
    finally:
        file.seek(before)
    if claim is None or claim.seconds <= 0 or size * 8 / claim.seconds < MIN_PLAUSIBLE_BIT_RATE:
        return None
    bit_rate = stream.codec_context.bit_rate or 0
    if stream.codec_context.name.startswith("pcm_") and claim.seconds * bit_rate / 8 >= _STREAMED_BYTES:
        return None
    return claim


def _counted_duration(container: InputContainer, stream: AudioStream, file: PartReader) -> float | None:
    bit_rate = stream.codec_context.bit_rate
    if container.format.name == "wav" and stream.codec_context.name.startswith("pcm_") and bit_rate:
        # FFmpeg limits the length to the size of the file.
        data = wav_data(file)
        return data[1] * 8 / bit_rate if data is not None else None
    own = whole = None
    if stream.duration is not None and stream.time_base is not None:
        own = float(stream.duration * stream.time_base)
    if container.duration is not None:
        whole = container.duration / av.time_base
    if own is None:
        # Pictures may last longer than the sound.
        return None if container.streams.video else whole
    # An edit list may leave out a part of the stream.
    return own if whole is None else min(own, whole)


def _mp3_claim(stream: AudioStream, file: PartReader) -> Claim | None:
    """Read the counts of Xing's header, which is in the first frame."""
    file.seek(0)
    tag = file.read(_ID3_HEADER)
    start = 0
    if tag[:3] == b"ID3" and len(tag) == _ID3_HEADER:
        shifts = (21, 14, 7, 0)
        start = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], shifts, strict=True)) + _ID3_HEADER
    file.seek(start)
    found = _FIRST_FRAME.search(file.read(4096))
    if found is None:
        return None
    fields = found[1]
    flags, frames, n_bytes = (int.from_bytes(fields[at : at + 4], "big") for at in (0, 4, 8))
    rate = stream.codec_context.sample_rate
    if not flags & _XING_FRAMES or not rate:
        return None
    seconds = frames * (1152 if rate >= 32000 else 576) / rate
    return Claim(seconds, n_bytes if flags & _XING_BYTES else None)


def _asf_claim(file: PartReader) -> Claim | None:
    """Read the play duration, less the preroll (ASF specification, section 3.2)."""
    file.seek(0)
    head = file.read(_HEAD)
    at = head.find(_ASF_FILE_PROPERTIES)
    if at < 0 or at + 88 > len(head):
        return None
    play, _, preroll = struct.unpack_from("<QQQ", head, at + 64)
    return Claim(play / 1e7 - preroll / 1e3)


def wav_data(file: PartReader) -> tuple[int, int] | None:
    """Find the place of the samples in a WAV file, and how many bytes of them its header counts."""
    file.seek(0)
    head = file.read(_HEAD)
    at = 12
    while head[:4] == b"RIFF" and at + 8 <= len(head):
        length = int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"data":
            return at + 8, length
        at += 8 + length + length % 2
    return None


def wav_is_understated(file: PartReader, size: int) -> bool:
    """Whether samples go on after the end that a WAV file's header gives: no other chunk begins there."""
    data = wav_data(file)
    if data is None:
        return False
    end = sum(data)
    if end + _HEAD > size:
        return False
    file.seek(end)
    following = file.read(10)
    # Chunks begin on even bytes, which some programs do not mind.
    return not any(_CHUNK_NAME.match(following, odd) for odd in (0, 1))
