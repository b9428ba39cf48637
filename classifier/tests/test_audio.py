"""What people upload is decoded to the sound that it holds."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from classifier.core.audio import (
    AudioError,
    AudioInfo,
    AudioLimits,
    decode,
    encode_playback,
    is_browser_playable,
    probe,
)
from classifier.tests import sounds

SONG = sounds.tune(3.0)


def likeness(first: sounds.Float32, second: sounds.Float32) -> float:
    """The highest correlation of two sounds, whatever delay an encoder added."""
    size = 2 ** int(np.ceil(np.log2(first.size + second.size)))
    spectrum = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    return float(np.fft.irfft(spectrum).max() / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("kind", sounds.CODECS)
def test_every_format_decodes_to_the_same_sound(kind: str) -> None:
    audio = decode(io.BytesIO(sounds.encode(SONG, kind)))

    assert audio.sample_rate == 22050
    assert audio.samples.dtype == np.float32
    assert audio.info.duration == pytest.approx(3.0, abs=0.06)
    assert audio.samples.size == round(audio.info.duration * 22050)
    assert audio.info.sample_rate == sounds.CODECS[kind][3]
    assert audio.info.channels == 1
    assert likeness(audio.samples, SONG) > 0.98
    assert audio.samples.std() == pytest.approx(SONG.std(), rel=0.12)


@pytest.mark.parametrize("kind", sounds.CODECS)
def test_probe_tells_what_a_file_is_without_decoding_it_all(kind: str) -> None:
    data = sounds.encode(SONG, kind)

    info = probe(io.BytesIO(data))

    assert info.duration == pytest.approx(3.0, abs=0.08)
    assert replace(info, duration=0.0) == replace(decode(io.BytesIO(data)).info, duration=0.0)


def test_22050_hz_mono_is_taken_sample_by_sample() -> None:
    audio = decode(io.BytesIO(sounds.encode(SONG, "flac")))

    assert audio.samples.size == SONG.size
    assert np.abs(audio.samples - SONG).max() <= 0.5 / 2**15 + 1e-7


def test_recorder_without_a_duration_in_its_header() -> None:
    """A browser's MediaRecorder writes WebM as a stream: nothing says how long it is."""
    seekable = io.BytesIO(sounds.encode(SONG, "webm"))
    output = io.BytesIO()
    output.seekable = lambda: False  # type: ignore[method-assign]  # a stream is what the test is about
    with (
        av.open(seekable, "r") as source,
        av.open(output, "w", format="webm", options={"live": "1"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)

    assert probe(io.BytesIO(output.getvalue())).duration == 0.0
    assert decode(io.BytesIO(output.getvalue())).info.duration == pytest.approx(3.0, abs=0.02)


@pytest.mark.parametrize("kind", ["wav32", "adts"])
@pytest.mark.parametrize(("layout", "n_channels"), [("stereo", 2), ("5.1", 6), ("7.1", 8)])
def test_channels_are_averaged(kind: str, layout: str, n_channels: int) -> None:
    channels = np.zeros((n_channels, 88200), np.float32)
    channels[0] = sounds.sine(440.0, 2.0, rate=44100)

    audio = decode(io.BytesIO(sounds.encode(channels, kind, rate=44100, layout=layout)))

    assert audio.info.channels == n_channels
    assert np.abs(audio.samples[11025:33075]).max() == pytest.approx(0.5 / n_channels, rel=0.1)


def test_channels_that_cancel_out_still_sound() -> None:
    channel = sounds.sine(440.0, 2.0, rate=44100)
    data = sounds.encode(np.stack((channel, -channel)), "wav16", layout="stereo")

    audio = decode(io.BytesIO(data))

    assert np.abs(audio.samples).max() == pytest.approx(0.5, rel=0.02)


def test_one_silent_channel_is_no_cancellation() -> None:
    channel = sounds.sine(440.0, 2.0, rate=44100)
    data = sounds.encode(np.stack((np.zeros_like(channel), channel)), "wav16", layout="stereo")

    assert np.abs(decode(io.BytesIO(data)).samples).max() == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("kind", ["mp3", "adts"])
def test_change_of_rate_and_layout_in_the_middle(kind: str) -> None:
    stereo = np.stack((sounds.sine(440.0, 2.0, rate=44100),) * 2)
    first = sounds.encode(stereo, kind, layout="stereo")
    second = sounds.encode(sounds.sine(880.0, 2.0), kind, rate=22050)

    audio = decode(io.BytesIO(first + second))

    assert audio.info.duration == pytest.approx(4.0, abs=0.15)
    for begin, frequency in ((0.5, 440.0), (2.5, 880.0)):
        part = audio.samples[int(begin * 22050) : int((begin + 1) * 22050)]
        assert np.argmax(np.abs(np.fft.rfft(part))) == pytest.approx(frequency, abs=2)


def test_values_that_are_no_numbers_become_silence() -> None:
    broken = sounds.sine(440.0, 2.0, rate=48000)
    broken[::1000] = np.nan
    broken[1::1000] = np.inf
    data = sounds.encode(np.stack((broken, broken)), "wav32", layout="stereo")

    audio = decode(io.BytesIO(data))

    assert np.isfinite(audio.samples).all()
    assert 0.4 < np.abs(audio.samples).max() < 1.0


@pytest.mark.parametrize("kind", ["wav32", "wav64"])
def test_a_damaged_value_does_not_make_all_else_silent(kind: str) -> None:
    rate = sounds.CODECS[kind][3]
    broken = sounds.sine(440.0, 2.0, rate=rate)
    broken[1000:1010] = 1e30
    data = sounds.encode(np.stack((broken, broken)), kind, layout="stereo")

    audio = decode(io.BytesIO(data), loudness=True)

    assert 0.4 < np.abs(audio.samples).max() < 1.0
    assert audio.loudness is not None
    assert audio.loudness.true_peak == pytest.approx(-6.0, abs=1.0)


@pytest.mark.parametrize("place", [0x00FF, 0x028F])
def test_numbers_of_codecs_that_are_no_text(place: int) -> None:
    """AAC and G.722 in a WAV file: PyAV reads their numbers as ASCII, which they are not."""
    data = sounds.encode(SONG, "g722")
    at = data.index(b"fmt ") + 8
    assert data[at : at + 2] == struct.pack("<H", 0x028F)
    changed = data[:at] + struct.pack("<H", place) + data[at + 2 :]
    if place == 0x028F:
        assert decode(io.BytesIO(changed)).info.duration == pytest.approx(3.0, abs=0.1)
    else:
        # The sound is no AAC.
        with pytest.raises(AudioError):
            decode(io.BytesIO(changed))


def test_float_samples_in_the_range_of_integers_are_scaled() -> None:
    data = sounds.encode((SONG * 32768)[np.newaxis], "wav32", rate=22050)

    audio = decode(io.BytesIO(data))

    assert np.abs(audio.samples).max() == pytest.approx(1.0, rel=0.01)
    assert np.corrcoef(audio.samples, SONG)[0, 1] > 0.999


def test_cover_art_is_no_obstacle() -> None:
    output = io.BytesIO()
    with av.open(output, "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=1, width=64, height=64, pix_fmt="yuv420p")
        sound = container.add_stream("aac", rate=44100, layout="mono")
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(picture.encode(image))
        frame = AudioFrame.from_ndarray(sounds.sine(440.0, 2.0, rate=44100)[np.newaxis], "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))

    assert decode(io.BytesIO(output.getvalue())).info.duration == pytest.approx(2.0, abs=0.06)


def test_the_file_is_read_from_its_start_and_left_open() -> None:
    file = io.BytesIO(sounds.encode(SONG, "mp3"))
    file.seek(1000)

    probe(file)
    decode(file)

    assert not file.closed


@pytest.mark.slow
def test_a_file_longer_than_the_limit() -> None:
    limits = AudioLimits(max_duration=2.0)
    for kind in ("wav16", "mp3", "webm", "m4a"):
        with pytest.raises(AudioError) as caught:
            decode(io.BytesIO(sounds.encode(sounds.tune(5.0), kind)), limits=limits)
        assert caught.value.code == "too_long"
        assert caught.value.params == {"maximum": pytest.approx(0.0, abs=0.1)}
    with pytest.raises(AudioError) as caught:
        probe(io.BytesIO(sounds.encode(sounds.tune(5.0), "wav16")), limits=limits)
    assert caught.value.code == "too_long"


@pytest.mark.slow
def test_ten_minutes_are_accepted() -> None:
    data = sounds.encode(np.tile(sounds.tune(10.0), 60), "flac")

    assert decode(io.BytesIO(data)).info.duration == pytest.approx(600.0)


def test_a_failing_storage_is_no_damaged_file() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2**17:
                raise ConnectionResetError("the store went away")
            return super().read(size)

    data = sounds.encode(sounds.tune(10.0), "wav16")

    with pytest.raises(ConnectionResetError):
        decode(Failing(data))


def test_a_time_limit_that_strikes_while_reading_is_felt() -> None:
    class TimeLimitError(BaseException):
        pass

    class Struck(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2**17:
                raise TimeLimitError
            return super().read(size)

    with pytest.raises(TimeLimitError):
        decode(Struck(sounds.encode(sounds.tune(10.0), "wav16")))


@pytest.mark.parametrize(
    ("kind", "playable"),
    [
        *((kind, True) for kind in ("mp3", "wav16", "wav24", "wav32", "flac", "vorbis", "opus", "m4a")),
        *((kind, False) for kind in ("alac", "aiff", "au", "wma", "wav64", "webm")),
    ],
)
def test_what_browsers_play(kind: str, playable: bool) -> None:
    assert is_browser_playable(probe(io.BytesIO(sounds.encode(SONG, kind)))) is playable


@pytest.mark.parametrize("kind", ["aiff", "wma", "alac", "wav64"])
def test_a_rendition_plays_everywhere(kind: str) -> None:
    rendition = encode_playback(io.BytesIO(sounds.encode(SONG, kind)))

    info = probe(io.BytesIO(rendition))
    assert is_browser_playable(info)
    assert info.codec == "mp3"
    assert info.duration == pytest.approx(3.0, abs=0.06)
    assert likeness(decode(io.BytesIO(rendition)).samples, SONG) > 0.98


def test_a_rendition_keeps_two_channels() -> None:
    channels = np.stack((sounds.sine(440.0, 2.0, rate=44100), sounds.sine(880.0, 2.0, rate=44100)))

    rendition = encode_playback(io.BytesIO(sounds.encode(channels, "aiff", layout="stereo")))

    assert probe(io.BytesIO(rendition)).channels == 2
    with av.open(io.BytesIO(rendition), "r") as container:
        left, right = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    for channel, frequency in ((left, 440.0), (right, 880.0)):
        peak = np.argmax(np.abs(np.fft.rfft(channel[10000:54100])))
        assert peak == pytest.approx(frequency, abs=2)


def test_a_rendition_of_no_audio_is_refused() -> None:
    with pytest.raises(AudioError) as caught:
        encode_playback(io.BytesIO(b"not audio at all" * 100))
    assert caught.value.code == "not_audio"


def test_unknown_codecs_are_not_playable() -> None:
    info = AudioInfo(duration=1.0, sample_rate=44100, channels=2, codec="cook", container="rm")
    assert not is_browser_playable(info)
