"""Channels that cancel sound as they would in mono; everything else is the plain mean, bit by bit."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from classifier.core.audio import decode
from classifier.core.mixdown import PhaseMeter, mean
from classifier.tests import sounds
from classifier.tests.sounds import Float32

RATE = 44100
SONG = sounds.tune(8.0, rate=RATE)
# A wide part: the same chords with every band shifted in phase, which is unlike the song but as loud.
SIDE = np.asarray(np.roll(sounds.tune(8.0, rate=RATE, seed=1), 700), np.float32)
BLOCK = 32768


def stereo(left: Float32, right: Float32) -> Float32:
    return np.stack((left, right)).astype(np.float32)


def hiss(db: float) -> Float32:
    level = float(SONG.std()) * 10 ** (db / 20)
    return stereo(*(sounds.noise(8.0, rate=RATE, amplitude=level, seed=seed) for seed in (1, 2)))


def decoded(channels: Float32, kind: str = "wav32", *, layout: str = "stereo") -> Float32:
    if kind == "vorbis":
        output = io.BytesIO()
        soundfile.write(output, channels.T, RATE, format="OGG", subtype="VORBIS")
        return decode(io.BytesIO(output.getvalue())).samples
    data = sounds.encode(channels, kind, rate=48000 if kind == "opus" else RATE, layout=layout)
    return decode(io.BytesIO(data)).samples


def likeness(first: Float32, second: Float32) -> float:
    n = min(first.size, second.size)
    return float(np.corrcoef(first[:n], second[:n])[0, 1])


ORDINARY = {
    "mono": stereo(SONG, SONG),
    "unlike": stereo(SONG, SIDE),
    "wide": stereo(SONG + 0.5 * SIDE, SONG - 0.5 * SIDE),
    "as much side as middle": stereo(SONG + SIDE, SONG - SIDE),
    "one side faint": stereo(SONG, 0.03 * SIDE),
    "one side faint and inverted": stereo(SONG, -0.03 * SONG),
    "one side silent": stereo(np.zeros_like(SONG), SONG),
    "delayed": stereo(SONG, np.roll(SONG, 10)),
    "hiss alone": hiss(0.0),
    "silent": stereo(np.zeros_like(SONG), np.zeros_like(SONG)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_the_mean_of_ordinary_sound_is_not_touched(name: str) -> None:
    channels = ORDINARY[name]
    meter = PhaseMeter()
    for start in range(0, channels.shape[1], BLOCK):
        meter.add(RATE, channels[:, start : start + BLOCK])
    assert meter.correction() is None
    at_rate = channels[:, : 22050 * 4]
    data = sounds.encode(at_rate, "wav32", rate=22050, layout="stereo")
    np.testing.assert_array_equal(decode(io.BytesIO(data)).samples, mean(at_rate))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 1.0])
def test_any_share_of_cancellation(share: float) -> None:
    heard = decoded(stereo(SONG, -share * SONG) + hiss(-60.0))
    upright = decoded(stereo(SONG, share * SONG))
    assert likeness(heard, upright) > 0.9999
    assert heard.std() == pytest.approx(upright.std(), rel=0.01)


def test_a_wide_song_with_an_inverted_side_is_its_own_mono() -> None:
    wide = stereo(SONG + 0.5 * SIDE, SONG - 0.5 * SIDE)
    np.testing.assert_allclose(decoded(stereo(wide[0], -wide[1])), decoded(wide), atol=1e-5)


def test_a_song_as_wide_as_it_is_deep_is_known_by_its_bass() -> None:
    bass = sounds.sine(80.0, 8.0, rate=RATE)
    wide = stereo(SONG + SIDE + bass, SONG - SIDE + bass)
    np.testing.assert_allclose(decoded(stereo(wide[0], -wide[1])), decoded(wide), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adts", "vorbis", "opus", "mp3"])
def test_sides_that_cancel_but_for_what_a_codec_leaves(kind: str) -> None:
    heard = decoded(stereo(SONG, -SONG), kind)
    upright = decoded(stereo(SONG, SONG), kind)
    assert likeness(heard, upright) > 0.99
    assert heard.std() == pytest.approx(upright.std(), rel=0.05)


def test_octaves_that_are_inverted_alone() -> None:
    spectrum = np.fft.rfft(SONG)
    hertz = np.fft.rfftfreq(SONG.size, 1 / RATE)
    for inverted in (hertz < 354, hertz >= 354):
        right = np.fft.irfft(np.where(inverted, -spectrum, spectrum), SONG.size).astype(np.float32)
        heard = decoded(stereo(SONG, right))
        # What lies at the border of two octaves is the sum of both.
        assert likeness(heard, decoded(stereo(SONG, SONG))) > 0.98


@pytest.mark.slow
def test_a_part_of_a_recording_that_is_inverted() -> None:
    song = np.tile(SONG, 5)
    sign = np.where(np.arange(song.size) < 12 * RATE, 1, -1)
    heard = decoded(stereo(song, song * sign))
    whole = decoded(stereo(song, song))
    # The stretch that holds the change is one or the other.
    for begin, end in ((0, 12), (18, 40)):
        part = slice(begin * 22050, end * 22050)
        assert heard[part].std() == pytest.approx(whole[part].std(), rel=0.02)
        assert abs(likeness(heard[part], whole[part])) > 0.999


def test_one_of_six_channels_is_inverted() -> None:
    channels = np.stack((SONG, -SONG, 0.3 * SIDE, 0 * SONG, 0.5 * SONG, 0.5 * SONG)).astype(np.float32)
    upright = channels * np.array([[1], [-1], [1], [1], [1], [1]], np.float32)
    np.testing.assert_allclose(decoded(channels, layout="5.1"), decoded(upright, layout="5.1"), atol=1e-5)


def test_change_of_rate_between_inverted_sounds_keeps_every_second() -> None:
    first = sounds.encode(stereo(SONG, -SONG), "flac", rate=RATE, layout="stereo")
    second = sounds.encode(stereo(SONG[::2], -SONG[::2]), "flac", rate=22050, layout="stereo")
    heard = decode(io.BytesIO(first + second))
    assert heard.info.duration == pytest.approx(16.0, abs=0.01)
    for begin in (0, 8):
        part = heard.samples[begin * 22050 : (begin + 8) * 22050]
        assert likeness(part, SONG[::2]) > 0.95


@pytest.mark.parametrize("n", [44100, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK - 1])
def test_the_last_block_of_an_inverted_sound_may_be_of_any_length(n: int) -> None:
    heard = decoded(stereo(SONG[:n], -SONG[:n]))
    assert heard.size == decoded(stereo(SONG[:n], SONG[:n])).size
    assert likeness(heard, decoded(stereo(SONG[:n], SONG[:n]))) > 0.9999


@pytest.mark.slow
def test_twenty_minutes_are_measured_in_a_megabyte() -> None:
    meter = PhaseMeter()
    block = stereo(SONG, -SONG)[:, :BLOCK]
    meter.add(RATE, block)
    tracemalloc.start()
    for _ in range(1200 * RATE // BLOCK):
        meter.add(RATE, block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    assert meter.correction() is not None
