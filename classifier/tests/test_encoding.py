"""Encoding copies: the parts that are passed on while a sound is encoded, and the file they belong to."""

from __future__ import annotations

import io
from collections.abc import Iterator

import psutil
import pytest

from classifier.core.audio import AudioError, AudioLimits, decode
from classifier.core.encoding import TARGETS, encode_copy
from classifier.decoder_answers import head_in
from classifier.decoding import Decoder
from classifier.tests.sounds import encode, tune

SECONDS = 60.0


@pytest.fixture(scope="module")
def song() -> bytes:
    return encode(tune(SECONDS))


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(size=1)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_parts_are_passed_on_while_a_sound_is_encoded(decoder: Decoder, song: bytes, name: str) -> None:
    parts: list[bytes] = []
    here = encode_copy(io.BytesIO(song), TARGETS[name], bit_rate=128, sink=parts.append)
    passed = b"".join(parts)
    # MP3's header holds the length and so is written last; a tag as long as it stands in its place.
    assert len(passed) == len(here)
    header = 2_000 if name == "mp3" else 0
    assert passed[header:] == here[header:]
    assert (passed == here) == (not header)
    for content in (here, passed):
        found = decode(io.BytesIO(content))
        assert found.info.codec == name
        assert found.info.duration == pytest.approx(SECONDS, abs=0.1)
    assert max(map(len, parts)) <= 5_000

    there: list[bytes] = []
    whole = decoder.encode_copy(io.BytesIO(song), target=name, bit_rate=128, sink=there.append)
    # Ogg numbers its streams at random.
    assert len(whole) == len(here)
    assert whole[header:] == b"".join(there)[header:]
    assert len(there) > 1
    assert decode(io.BytesIO(whole)).info.duration == pytest.approx(SECONDS, abs=0.1)
    assert len(decoder.encode_copy(io.BytesIO(song), target=name, bit_rate=128)) == len(here)


@pytest.mark.parametrize("name", TARGETS)
def test_of_a_short_sound_all_is_passed_on(name: str) -> None:
    parts: list[bytes] = []
    sound = io.BytesIO(encode(tune(0.3)))
    limits = AudioLimits(min_duration=0.1)
    whole = encode_copy(sound, TARGETS[name], bit_rate=32, limits=limits, sink=parts.append)
    passed = b"".join(parts)
    assert len(passed) == len(whole)
    assert decode(io.BytesIO(passed), limits=limits).info.codec == name


class _GoneError(Exception):
    pass


@pytest.mark.slow
def test_a_sink_that_fails_ends_the_process(decoder: Decoder, song: bytes) -> None:
    decoder.probe(io.BytesIO(song))
    (process,) = decoder._idle.queue

    def sink(part: bytes) -> None:
        raise _GoneError

    with pytest.raises(_GoneError):
        decoder.encode_copy(io.BytesIO(song), target="mp3", bit_rate=128, sink=sink)
    assert not psutil.pid_exists(process._process.pid)
    assert decoder.probe(io.BytesIO(song)).duration == pytest.approx(SECONDS)


@pytest.mark.parametrize("said", [None, [], {}, {"head": 1}, {"head": "?"}, {"head": "A" * 100_000}])
def test_a_head_that_is_none_is_refused(said: object) -> None:
    with pytest.raises(AudioError) as refused:
        head_in(said)
    assert refused.value.code == "undecodable"
    assert head_in({"head": "YWI="}) == b"ab"
