"""A header's claim neither refuses nor shortens a file, and tells how much of it could not be read."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from classifier.core.audio import AudioError, AudioLimits, decode, is_browser_playable, probe
from classifier.tests import sounds

SONG = sounds.tune(10.0)
LIMITS = AudioLimits(max_duration=60.0)
CLAIMS = {"zero": 0.0, "understated": 3.0, "overstated": 40.0, "beyond the limit": 2400.0}


def claiming(kind: str, seconds: float) -> bytes:
    """A file of ten seconds whose header claims another duration."""
    data = sounds.encode(SONG, kind)
    if kind == "mp3":
        at = data.index(b"Info") + 8
        return data[:at] + struct.pack(">I", round(44100 * seconds / 1152)) + data[at + 4 :]
    if kind == "flac":
        return data[:22] + struct.pack(">I", round(22050 * seconds)) + data[26:]
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", round(88200 * seconds)) + data[at + 4 :]


def without_table() -> bytes:
    """An MP3 without the frame that holds the header."""
    data = sounds.encode(SONG, "mp3")
    return data[data.index(b"\xff\xfb", data.index(b"Info")) :]


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav16"])
@pytest.mark.parametrize("claim", CLAIMS)
def test_what_decodes_counts(kind: str, claim: str) -> None:
    data = claiming(kind, CLAIMS[claim])

    probe(io.BytesIO(data), limits=LIMITS)
    audio = decode(io.BytesIO(data), limits=LIMITS)

    assert audio.info.duration == pytest.approx(10.0, abs=0.05)
    assert np.abs(audio.samples[-22050:]).max() > 0.1


@pytest.mark.slow
def test_an_mp3_of_ten_seconds_that_claims_forty_minutes_is_probed_by_decoding() -> None:
    info = probe(io.BytesIO(claiming("mp3", 2400.0)), limits=LIMITS)
    assert info.duration == pytest.approx(10.0, abs=0.05)
    # Its byte count shows that nothing is missing.
    heard = decode(io.BytesIO(claiming("mp3", 2400.0)), limits=LIMITS).info
    assert heard.expected_duration is None
    # A browser would show forty minutes and seek by them.
    assert not is_browser_playable(heard)


def test_a_missing_header_is_no_obstacle() -> None:
    info = decode(io.BytesIO(without_table()), limits=LIMITS).info
    assert info.duration == pytest.approx(10.0, abs=0.05)
    assert info.expected_duration is None


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav16", "m4a", "vorbis"])
def test_a_claim_that_decoding_confirms_is_refused(kind: str) -> None:
    data = sounds.encode(SONG, kind)
    for call in (probe, decode):
        with pytest.raises(AudioError) as caught:
            call(io.BytesIO(data), limits=AudioLimits(max_duration=8.0))
        assert caught.value.code == "too_long"


@pytest.mark.parametrize("kind", sounds.CODECS)
def test_a_whole_file_lacks_nothing(kind: str) -> None:
    info = decode(io.BytesIO(sounds.encode(SONG, kind))).info
    assert (info.expected_duration, info.damaged, info.seekable) == (None, False, True)


# Without a header that counts, or an index, nobody can know what is missing: ADTS and Ogg.
@pytest.mark.parametrize(
    "kind", ["mp3", "wav8", "wav16", "wav24", "wav32", "wav64", "flac", "webm", "aiff", "au", "wma"]
)
def test_a_file_that_was_cut_off_tells_how_long_it_was(kind: str) -> None:
    data = sounds.encode(SONG, kind)
    info = decode(io.BytesIO(data[: len(data) // 2])).info

    assert info.duration == pytest.approx(5.0, abs=0.5)
    assert info.expected_duration == pytest.approx(10.0, abs=0.1)
    assert not info.damaged
    assert not is_browser_playable(info)


@pytest.mark.parametrize("kind", ["mp3", "opus", "vorbis", "m4a", "alac", "wma"])
def test_a_file_whose_middle_is_damaged_tells_how_long_it_was(kind: str) -> None:
    data = bytearray(sounds.encode(SONG, kind))
    part = slice(len(data) // 3, 2 * len(data) // 3)
    data[part] = np.random.default_rng(0).bytes(part.stop - part.start)
    info = decode(io.BytesIO(bytes(data))).info

    assert 2.0 < info.duration < 8.0
    assert info.expected_duration == pytest.approx(10.0, abs=0.1)
    assert info.damaged


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_that_was_streamed_claims_nothing(size: int) -> None:
    data = sounds.encode(SONG, "wav16")
    at = data.index(b"data") + 4
    info = decode(io.BytesIO(data[:at] + struct.pack("<I", size) + data[at + 4 :])).info
    assert info.duration == pytest.approx(10.0, abs=0.01)
    assert info.expected_duration is None


def test_chunks_after_the_samples_are_no_samples() -> None:
    data = sounds.encode(SONG, "wav16")
    text = b"LIST" + struct.pack("<I", 2**18) + b"INFO" + bytes(2**18 - 4)
    assert decode(io.BytesIO(data + text)).info.duration == pytest.approx(10.0, abs=0.01)
