"""What spoke for a genre: networks that attend to one known thing, and the shipped one."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.core import explain as explaining
from classifier.core import filters, pictures
from classifier.core.artifact import Calibration
from classifier.core.audio import AudioError, decode
from classifier.core.explain import Explanation, Part, explain, explain_file, strongest
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput
from classifier.core.patches import PatchParams
from classifier.releases import current_release
from classifier.tests import sounds

FloatArray = NDArray[np.float32]
LABELS = ("blues", "jazz", "rock")
HOP = 512 / 22_050
QUIET, LOUD = 1e-3, 1.0


@dataclass
class Watching:
    """A network that predicts a label from the level of a range of mel rows, high or low."""

    rows: slice
    label: int = 0
    weight: float = 4.0
    runs: int = 0

    def run(self, inputs: FloatArray) -> NetworkOutput:
        self.runs += len(inputs)
        # Inputs are relative to a loud cell; the logit is the level of the cells above -25 dB of that.
        loudness = np.maximum(inputs[:, self.rows] + 1.0, 0.0).mean(axis=(1, 2))
        logits = np.zeros((len(inputs), len(LABELS)), dtype=np.float32)
        logits[:, self.label] = self.weight * loudness
        return NetworkOutput(
            logits, np.full(len(inputs), 5.0, np.float32), np.ones((len(inputs), 4), np.float32)
        )


def classifier_of(network: Watching, *, n_columns: int = 128, hop_columns: int = 32) -> Classifier:
    made = Classifier.__new__(Classifier)
    made.network = network
    made.name, made.labels, made.metadata = "watching", LABELS, {}
    made.patch_params = PatchParams(n_columns=n_columns, hop_columns=hop_columns)
    made.calibration = Calibration(temperature=1.0, unsure_below=0.5, music_threshold=0.5)
    return made


def rows_of(low: float, high: float) -> slice:
    centres = filters.mel_frequencies(130, 22_050)[1:-1]
    inside = np.flatnonzero((centres >= low) & (centres < high))
    return slice(int(inside[0]), int(inside[-1]) + 1)


def music(seconds: float) -> FloatArray:
    """A mel spectrogram that is quiet but for what a test puts into it."""
    rng = np.random.default_rng(3)
    n_frames = 1 + int(seconds / HOP)
    return np.asarray(QUIET * rng.uniform(0.8, 1.2, (128, n_frames)), np.float32)


def put(mel_power: FloatArray, rows: slice, start: float, end: float) -> FloatArray:
    mel_power[rows, int(start / HOP) : int(end / HOP)] = LOUD
    return mel_power


def peak(explanation: Explanation) -> tuple[float, float, float, float]:
    """Give the range in hertz and in seconds of the region with the strongest effect."""
    band, place = np.unravel_index(np.abs(explanation.effects).argmax(), explanation.effects.shape)
    low, high = map(float, explanation.bands[band : band + 2])
    start, end = map(float, explanation.slices[place : place + 2])
    return low, high, start, end


@pytest.mark.parametrize("start", [0.0, 12.0, 28.0])
@pytest.mark.parametrize(("low", "high"), [(0, 125), (1000, 1500), (4000, 6000)])
def test_the_map_peaks_where_the_network_looks(start: float, low: float, high: float) -> None:
    elsewhere = put(music(30), rows_of(250, 500), 0, 30)
    heard = put(elsewhere, rows_of(low, high), start, start + 2)
    found = explain(heard, classifier=classifier_of(Watching(rows_of(low, high))), duration=30.0)
    assert found.label == "blues"
    assert peak(found) == pytest.approx((low, high, start, start + 2))
    others = found.effects.copy()
    others[found.effects == found.effects.max()] = 0
    assert np.abs(others).max() < 0.1 * found.effects.max()
    assert found.bands_for() == [Part(low, high, 1.0)]
    assert [(part.low, part.high) for part in found.moments_for()] == [(start, start + 2)]
    assert (found.bands_against(), found.moments_against()) == ([], [])


def test_what_speaks_for_another_genre_speaks_against_this_one() -> None:
    watched = rows_of(2000, 3000)
    heard = put(music(30), watched, 8, 10)
    network = Watching(watched, label=2)
    against = explain(heard, classifier=classifier_of(network), duration=30.0, label="blues")
    assert against.effects.min() < 0
    assert peak(against) == pytest.approx((2000, 3000, 8, 10))
    assert (against.bands_for(), against.bands_against()) == ([], [Part(2000, 3000, 1.0)])
    assert against.probability < 1 / 3
    for_rock = explain(heard, classifier=classifier_of(network), duration=30.0)
    assert for_rock.label == "rock"
    assert peak(for_rock) == peak(against)
    assert for_rock.effects.min() >= 0


def test_a_steady_tone_is_found_though_it_never_pauses() -> None:
    watched = rows_of(500, 1000)
    found = explain(
        put(music(30), watched, 0, 30), classifier=classifier_of(Watching(watched)), duration=30.0
    )
    assert found.bands_for() == [Part(500, 1000, 1.0)]
    assert (found.effects[3] > 0).all()


def test_the_answer_does_not_depend_on_the_size_of_a_patch() -> None:
    watched = rows_of(1500, 2000)
    heard = put(put(music(30), rows_of(250, 500), 0, 30), watched, 14, 16)
    for n_columns, hop_columns in ((48, 24), (64, 64), (256, 40)):
        classifier = classifier_of(Watching(watched), n_columns=n_columns, hop_columns=hop_columns)
        assert peak(explain(heard, classifier=classifier, duration=30.0)) == pytest.approx(
            (1500, 2000, 14, 16)
        )


def test_a_moment_of_a_track_shorter_than_a_patch_is_covered_with_its_mirror_image() -> None:
    watched = rows_of(3000, 4000)
    heard = put(put(music(6), rows_of(250, 500), 0, 6), watched, 4, 6)
    network = Watching(watched)
    found = explain(heard, classifier=classifier_of(network), duration=6.0)
    assert peak(found) == pytest.approx((3000, 4000, 4, 6))
    # With the region covered everywhere, nothing supports the genre any more.
    left = found.probability / (1 - found.probability)
    assert np.log(left) - found.effects.max() == pytest.approx(np.log(1 / 2), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 1.0, 30.0, 200.0, 1200.0])
def test_the_cost_is_bounded_and_slices_cover_the_track(seconds: float) -> None:
    rng = np.random.default_rng(1)
    heard = rng.exponential(1.0, (128, 1 + int(seconds / HOP))).astype(np.float32)
    network = Watching(slice(0, 128))
    classifier = classifier_of(network)
    plain = network.runs
    classifier.predict(heard, duration=seconds)
    plain, network.runs = network.runs - plain, 0
    found = explain(heard, classifier=classifier, duration=seconds)
    assert 0 < network.runs - plain <= explaining.MAX_RUNS
    assert found.slices[0] == 0
    assert found.slices[-1] == pytest.approx(seconds)
    assert found.effects.shape == (len(found.bands) - 1, len(found.slices) - 1)
    assert found.effects.shape[1] <= explaining.MAX_SLICES
    assert np.isfinite(found.effects).all()
    # Every slice was looked at.
    assert found.effects.any(axis=0).all()


@pytest.mark.slow
def test_a_moment_of_a_long_track_is_found() -> None:
    watched = rows_of(1000, 1500)
    heard = put(put(music(600), rows_of(250, 500), 0, 600), watched, 300, 330)
    found = explain(heard, classifier=classifier_of(Watching(watched)), duration=600.0)
    _low, _high, start, end = peak(found)
    assert 300 <= (start + end) / 2 <= 330
    assert found.bands_for() == [Part(1000, 1500, 1.0)]


def test_silence_says_nothing() -> None:
    network = Watching(slice(0, 128))
    classifier = classifier_of(network)
    found = explain(np.zeros((128, 1292), np.float32), classifier=classifier, duration=30.0)
    assert not found.effects.any()
    assert (found.bands_for(), found.moments_for(), found.moments_against()) == ([], [], [])
    assert found.probability == pytest.approx(1 / 3)


def test_a_genre_that_the_classifier_does_not_know() -> None:
    with pytest.raises(ValueError, match="does not know polka"):
        explain(music(10), classifier=classifier_of(Watching(slice(0, 5))), duration=10.0, label="polka")


def test_the_strongest_parts() -> None:
    borders = np.arange(6.0)
    assert strongest(np.array([0.0, 4, 4, 2, -3]), borders) == [Part(1, 3, 0.8)]
    assert strongest(np.array([3.0, 0, 0, 1, 0]), borders) == [Part(0, 1, 0.75)]
    named = strongest(np.array([2.0, 0, 3, 0, 3.0]), borders)
    assert [(part.low, part.high) for part in named] == [(2, 3), (4, 5)]
    assert strongest(np.full(5, 2.0), borders) == []
    assert strongest(np.full(5, 0.01), borders) == []
    assert strongest(np.full(5, -1.0), borders) == []


@pytest.mark.slow
def test_the_shipped_classifier_explains_itself_the_same_way_twice() -> None:
    classifier = Classifier.load(current_release())
    data = sounds.encode(sounds.tune(12.0, seed=2))
    first = explain_file(io.BytesIO(data), classifier=classifier)
    second = explain_file(io.BytesIO(data), classifier=classifier)
    features = extract(decode(io.BytesIO(data)).samples)
    prediction = classifier.predict(features.mel_power, duration=features.duration)
    assert first.label == max(prediction.probabilities, key=prediction.probabilities.__getitem__)
    assert first.probability == pytest.approx(prediction.probabilities[first.label])
    assert first.effects.any()
    assert np.array_equal(first.effects, second.effects)
    with pytest.raises(AudioError):
        explain_file(io.BytesIO(b"no music"), classifier=classifier)


def test_the_picture_lies_over_the_mel_spectrogram() -> None:
    effects = np.zeros((3, 4), np.float32)
    effects[0, 0], effects[2, 3] = 2.0, -1.0
    bands = np.array([0.0, 1000.0, 4000.0, 11_025.0])
    picture = pictures.occlusion(effects, bands)
    mel = pictures.mel(extract(sounds.tune(3.0)))
    assert (picture.width, picture.height, picture.ticks) == (mel.width, mel.height, mel.ticks)
    assert picture.media_type == "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(picture.data)))
    assert pixels.shape == (256, 1600, 4)
    assert pixels[255, 0, 3] > pixels[0, 1599, 3] > 0
    red, _green, blue, _alpha = pixels[255, 0]
    assert red > blue
    red, _green, blue, _alpha = pixels[0, 1599]
    assert blue > red
    # The marked regions and nothing else: as wide as their slice, as high as their band.
    seen = pixels[..., 3] > 0
    assert seen[:, :400].any(axis=0).all()
    assert not seen[:, 400:1200].any()
    border = filters.hz_to_mel(np.array([1000.0]))[0] / filters.hz_to_mel(np.array([11_025.0]))[0]
    assert seen[:, 0].sum() == pytest.approx(256 * border, abs=1)


def test_a_map_of_next_to_nothing_is_pale_and_of_nothing_empty() -> None:
    bands = np.array([0.0, 1000.0, 11_025.0])
    for effects, most in ((np.full((2, 2), 1e-4, np.float32), 10), (np.zeros((2, 2), np.float32), 0)):
        pixels = np.asarray(Image.open(io.BytesIO(pictures.occlusion(effects, bands).data)))
        assert pixels[..., 3].max() <= most
