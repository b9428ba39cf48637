"""Files that are joined of several are heard to their end."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from classifier.core import joined
from classifier.core.audio import decode, encode_playback, is_browser_playable, probe
from classifier.tests import sounds

SONG = sounds.tune(3.0)


def tone(frequency: float, kind: str, *, rate: int = 44100, channels: int = 1) -> bytes:
    """Two seconds of a pure tone."""
    sine = sounds.sine(frequency, 2.0, rate=rate)
    if kind == "vorbis":
        output = io.BytesIO()
        soundfile.write(output, np.stack((sine,) * channels, axis=1), rate, format="OGG", subtype="VORBIS")
        return output.getvalue()
    layout = "mono" if channels == 1 else "stereo"
    return sounds.encode(np.stack((sine,) * channels), kind, rate=rate, layout=layout)


def frequencies(samples: sounds.Float32) -> list[int]:
    """The strongest frequency of every two seconds, in tens of hertz."""
    middles = range(22050, samples.size, 44100)
    spectra = [np.abs(np.fft.rfft(samples[at - 8000 : at + 8000])) for at in middles]
    return [round(int(np.argmax(spectrum)) * 22050 / 16000 / 10) for spectrum in spectra]


CHAINS = {
    "same": [tone(440, "vorbis"), tone(880, "vorbis")],
    "rate": [tone(440, "vorbis"), tone(880, "vorbis", rate=22050)],
    "channels": [tone(440, "vorbis"), tone(880, "vorbis", channels=2)],
    "rate and channels": [tone(440, "vorbis", channels=2), tone(880, "vorbis", rate=32000)],
    "codec": [tone(440, "opus", rate=48000), tone(880, "vorbis")],
    "opus channels": [tone(440, "opus", rate=48000), tone(880, "opus", rate=48000, channels=2)],
    "four": [tone(f, "vorbis", rate=r) for f, r in ((440, 44100), (880, 22050), (660, 48000), (990, 44100))],
}


@pytest.mark.parametrize("name", CHAINS)
def test_every_link_of_a_chained_ogg_is_heard(name: str) -> None:
    data = b"".join(CHAINS[name])
    expected = [44, 88, 66, 99][: len(CHAINS[name])]

    audio = decode(io.BytesIO(data))

    assert audio.info.duration == pytest.approx(2.0 * len(expected), abs=0.05)
    assert audio.info.expected_duration is None
    assert frequencies(audio.samples) == expected
    assert probe(io.BytesIO(data)).duration == 0.0
    # Browsers play the first link alone, or stop where the rate changes.
    assert not is_browser_playable(audio.info)
    assert frequencies(decode(io.BytesIO(encode_playback(io.BytesIO(data)))).samples) == expected


@pytest.mark.parametrize(
    "kind", ["mp3", "wav16", "wav24", "flac", "aiff", "m4a", "alac", "webm", "adts", "wma", "opus"]
)
def test_two_files_joined_are_heard_both(kind: str) -> None:
    rate = sounds.CODECS[kind][3]
    data = tone(440, kind, rate=rate) + tone(880, kind, rate=rate)

    info = decode(io.BytesIO(data)).info

    assert info.duration == pytest.approx(4.0, abs=0.15)
    assert info.expected_duration is None
    assert frequencies(decode(io.BytesIO(data)).samples[: 4 * 22050]) == [44, 88]


def test_a_link_that_cannot_be_read_is_missed() -> None:
    good, other = tone(440, "vorbis"), tone(880, "vorbis")
    damaged = other[:60] + bytes(len(other) - 60)

    info = decode(io.BytesIO(good + damaged + good)).info

    assert info.duration == pytest.approx(4.0, abs=0.05)
    assert info.expected_duration == pytest.approx(6.0, abs=0.5)


def test_streams_that_sound_at_once_are_one_link() -> None:
    """Both streams of a multiplexed file begin before either goes on."""
    one, other = tone(440, "vorbis"), tone(880, "vorbis", rate=22050)
    first = 28 + 30  # a page of one packet, the identification header
    data = one[:first] + other[:first] + one[first:] + other[first:]

    ranges, complete = joined.parts(io.BytesIO(data), len(data))

    assert (ranges, complete) == ([(0, len(data))], True)


def test_so_many_links_are_opened_and_no_more() -> None:
    page = b"OggS\x00\x02" + bytes(20) + b"\x01\x01x"
    apart = page + b"OggS\x00\x00" + bytes(20) + b"\x01\x01x"
    data = apart * (joined.MAX_PARTS + 7)

    ranges, complete = joined.parts(io.BytesIO(data), len(data))

    assert (len(ranges), complete) == (joined.MAX_PARTS, False)
    assert ranges[1] == (len(apart), 2 * len(apart))


@pytest.mark.parametrize("kind", sounds.CODECS)
def test_one_file_is_one_part(kind: str) -> None:
    data = sounds.encode(SONG, kind)
    assert joined.parts(io.BytesIO(data), len(data)) == ([(0, len(data))], True)


def test_a_beginning_across_the_border_of_two_reads_is_found() -> None:
    whole = sounds.encode(SONG, "wav16")
    for shift in (1, 5, 11, 12):
        first = whole + bytes(2**20 - len(whole) - shift)
        data = first + whole
        assert joined.parts(io.BytesIO(data), len(data))[0] == [(0, len(first)), (len(first), len(data))]
