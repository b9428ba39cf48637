"""Pictures show what sounds, where and when it sounds."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from classifier.core import pictures
from classifier.core.features import extract
from classifier.tests import sounds


def brightness(picture: pictures.Picture) -> sounds.Float32:
    """Luminance, row 0 at the top."""
    image = Image.open(io.BytesIO(picture.data))
    assert (image.width, image.height) == (picture.width, picture.height)
    assert Image.MIME[str(image.format)] == picture.media_type
    return np.asarray(image.convert("L"), np.float32)


def height_of(picture: pictures.Picture, row: int) -> float:
    return 1.0 - (row + 0.5) / picture.height


@pytest.fixture(scope="module")
def drawn() -> dict[str, pictures.Picture]:
    """Two seconds of 512 Hz, then two of 4096 Hz."""
    sound = np.concatenate((sounds.sine(512.0, 2.0), sounds.sine(4096.0, 2.0)))
    return pictures.draw(extract(sound))


def test_all_four_are_drawn_edge_to_edge(drawn: dict[str, pictures.Picture]) -> None:
    assert set(drawn) == {"spectrogram", "mel", "chroma", "mfcc"}
    for picture in drawn.values():
        assert picture.width == pictures.WIDTH
        assert brightness(picture).std() > 5


@pytest.mark.parametrize("name", ["spectrogram", "mel"])
def test_a_tone_lies_at_its_tick(drawn: dict[str, pictures.Picture], name: str) -> None:
    picture = drawn[name]
    light = brightness(picture)
    marks = {tick.label: tick.position for tick in picture.ticks}
    for columns, label in ((slice(50, 750), "512 Hz"), (slice(850, 1550), "4 kHz")):
        row = int(light[:, columns].mean(axis=1).argmax())
        assert height_of(picture, row) == pytest.approx(marks[label], abs=0.02)


def test_time_runs_from_edge_to_edge(drawn: dict[str, pictures.Picture]) -> None:
    light = brightness(drawn["spectrogram"])
    row = int(light[:, 50:750].mean(axis=1).argmax())
    inside = np.flatnonzero(light[row] > light[row, 400] * 0.7)
    assert inside[0] <= 12
    assert inside[-1] == pytest.approx(800, abs=20)


def test_chroma_shows_the_triad() -> None:
    picture = pictures.chroma(extract(sounds.c_major()))

    light = brightness(picture)[:, 200:1400].mean(axis=1)
    at = {tick.label: light[int((1.0 - tick.position) * picture.height)] for tick in picture.ticks}

    assert len(at) == 12
    assert set(sorted(at, key=lambda name: at[name])[-3:]) == {"C", "E", "G"}


def test_mfcc_rows_are_numbered(drawn: dict[str, pictures.Picture]) -> None:
    assert [tick.label for tick in drawn["mfcc"].ticks] == ["0", "5", "10", "15"]


def test_silence_is_dark() -> None:
    for name, picture in pictures.draw(extract(sounds.silence())).items():
        assert brightness(picture).std() < 1, name


def test_gain_changes_no_picture() -> None:
    tune = sounds.tune()
    loud, quiet = (pictures.draw(extract(tune * np.float32(gain))) for gain in (1.0, 0.25))

    for name in ("spectrogram", "mel", "chroma"):
        assert np.abs(brightness(loud[name]) - brightness(quiet[name])).mean() < 2, name


@pytest.mark.slow
def test_a_long_track_keeps_a_short_event() -> None:
    sound = np.tile(sounds.sine(300.0, 1.0, amplitude=0.1), 240)
    sound[120 * 22050 : 120 * 22050 + 2205] += sounds.sine(6000.0, 0.1)

    light = brightness(pictures.spectrogram(extract(sound)))

    upper = light[: light.shape[0] // 4]
    assert upper.max(axis=0).argmax() == pytest.approx(800, abs=5)


def test_ticks_rise_within_the_picture(drawn: dict[str, pictures.Picture]) -> None:
    for picture in drawn.values():
        positions = [tick.position for tick in picture.ticks]
        assert positions == sorted(set(positions))
        assert 0 <= positions[0] <= positions[-1] <= 1


def test_labels_of_ticks_do_not_touch(drawn: dict[str, pictures.Picture]) -> None:
    for name, picture in drawn.items():
        places = [tick.position for tick in picture.ticks]
        assert len(places) >= 4, name
        assert min(np.diff(places)) >= pictures.LEAST_APART, name


def test_of_ticks_that_touch_the_upper_one_stays() -> None:
    ticks = [pictures.Tick(at, str(at)) for at in (0.0, 0.05, 0.1, 0.5, 0.57)]

    assert [tick.position for tick in pictures.legible(ticks)] == [0.0, 0.1, 0.57]
    assert pictures.legible([]) == ()


def test_peaks_are_the_extremes_of_each_slice() -> None:
    samples = np.zeros(12000, np.float32)
    samples[5] = 0.5
    samples[6005] = -0.25

    peaks = pictures.waveform_peaks(samples, 1200)

    assert peaks.shape == (1200, 2)
    assert peaks.dtype == np.int8
    assert peaks[0].tolist() == [0, 127]
    assert peaks[600].tolist() == [-64, 0]
    assert np.count_nonzero(peaks) == 2


def test_peaks_of_silence_and_of_very_short_sounds() -> None:
    assert not pictures.waveform_peaks(sounds.silence()).any()
    assert pictures.waveform_peaks(np.array([0.5, -0.5], np.float32), 10).shape == (10, 2)


def test_peaks_for_the_player() -> None:
    peaks = pictures.waveform_peaks(sounds.sine(5.0, 2.0), 50)

    as_json = pictures.peaks_to_json(peaks)

    assert as_json["length"] == 50
    (channel,) = as_json["peaks"]
    assert len(channel) == 100
    assert max(channel) == 1.0
    assert min(channel) == -1.0
