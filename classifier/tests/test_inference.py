import json
import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.artifact import ReleaseError
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction
from classifier.core.networks import member_count
from classifier.core.outputs import NetworkOutput, pool
from classifier.releases import current_release, read_metadata

FloatArray = NDArray[np.float32]
RATE = 22_050


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(current_release())


def predict_clips(classifier: Classifier, samples: NDArray[np.floating[Any]]) -> Prediction:
    features = extract(np.asarray(samples, dtype=np.float32))
    return classifier.predict(features.mel_power, duration=features.duration)


def riff(seconds: float) -> FloatArray:
    """A chord per half second over a noisy beat: nothing real, but neither steady nor silent."""
    rng = np.random.default_rng(4)
    t = np.arange(int(seconds * RATE)) / RATE
    root = 110 * 2 ** (np.array([0, 5, 7, 5])[(t * 2).astype(int) % 4] / 12)
    phase = 2 * np.pi * np.cumsum(root) / RATE
    chord = sum(np.sin(phase * ratio * k) / k for ratio in (1, 1.25, 1.5) for k in (1, 2, 3, 4))
    beat = rng.normal(size=len(t)) * np.exp(-8 * (t * 4 % 1))
    return np.asarray(0.1 * chord + 0.1 * beat, dtype=np.float32)


def fabricated(classifier: Classifier, logits: FloatArray, music: float, sounding: FloatArray) -> Prediction:
    n = len(logits)
    cut = patches.Patches(
        inputs=np.zeros((n, 128, 128), np.float32),
        sounding=sounding,
        start=np.arange(n, dtype=np.float64) * 2.5,
        end=np.arange(n, dtype=np.float64) * 2.5 + 10,
    )
    output = NetworkOutput(logits, np.full(n, music, np.float32), np.ones((n, 4), np.float32))
    return classifier.read(output, cut, duration=2.5 * (n - 1) + 10)


def one_hot(index: int, n: int, strength: float = 20.0) -> FloatArray:
    logits = np.zeros((n, 10), dtype=np.float32)
    logits[:, index] = strength
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 4.0, 10.0, 31.7, 125.0])
def test_timeline_is_contiguous_from_start_to_end(classifier: Classifier, seconds: float) -> None:
    prediction = predict_clips(classifier, riff(seconds))
    timeline = prediction.timeline
    assert timeline[0].start == 0.0
    assert timeline[-1].end == pytest.approx(seconds, abs=1e-3)
    assert all(a.end == b.start for a, b in pairwise(timeline))
    assert all(segment.end > segment.start for segment in timeline)
    for probabilities in [prediction.probabilities, *(segment.probabilities for segment in timeline)]:
        assert tuple(probabilities) == classifier.labels
        assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-6)
    network = classifier.metadata["network"]
    branches = 2 if network.get("descriptors") else 1
    mlp_size = classifier.metadata.get("descriptor_mlp", {}).get("n_embedding", 0)
    assert prediction.embedding.shape == (
        member_count(classifier.metadata) * branches * network["n_embedding"] + mlp_size,
    )
    assert prediction.embedding.dtype == np.float32


@pytest.mark.parametrize("gain", [0.003, 0.1, 2.0])
def test_loudness_does_not_change_the_answer(classifier: Classifier, gain: float) -> None:
    plain, changed = predict_clips(classifier, riff(12)), predict_clips(classifier, gain * riff(12))
    for label, p in plain.probabilities.items():
        assert changed.probabilities[label] == pytest.approx(p, abs=0.02)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_is_not_music(classifier: Classifier, level: float) -> None:
    samples = level * np.random.default_rng(0).normal(size=12 * RATE)
    prediction = predict_clips(classifier, samples)
    assert not prediction.music
    assert prediction.label is None
    assert prediction.unsure
    assert prediction.confidence == pytest.approx(0.1)


@pytest.mark.slow
def test_silence_around_music_does_not_change_the_verdict(classifier: Classifier) -> None:
    silence = np.zeros(30 * RATE, dtype=np.float32)
    plain, padded = (
        predict_clips(classifier, riff(20)),
        predict_clips(classifier, np.concatenate([silence, riff(20)])),
    )
    assert max(plain.probabilities, key=plain.probabilities.__getitem__) == max(
        padded.probabilities, key=padded.probabilities.__getitem__
    )
    assert padded.timeline[0].probabilities["blues"] == pytest.approx(0.1)


def test_a_nearly_silent_part_has_no_genre_and_no_voice(classifier: Classifier) -> None:
    loud = riff(20.0)
    rng = np.random.default_rng(1)
    faint = rng.normal(0, 10 ** (-50 / 20) * np.std(loud), 20 * RATE)
    alone = predict_clips(classifier, loud)
    prediction = predict_clips(classifier, np.concatenate([loud, faint]))
    tail = [segment for segment in prediction.timeline if segment.start > 22]
    assert len(tail) > 4
    for segment in tail:
        assert max(segment.probabilities.values()) == pytest.approx(0.1)
    assert max(prediction.timeline[2].probabilities.values()) > 0.15
    assert prediction.label == alone.label
    assert prediction.confidence == pytest.approx(alone.confidence, abs=0.2)


def _white_noise(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.2 * np.random.default_rng(11).normal(size=len(t))


def _sine(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * 440 * t)


def _click_track(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(t % 0.5 < 0.002, 0.8, 0.0)


def _hum(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.2 * np.sin(2 * np.pi * 50 * t) + 0.05 * np.sin(2 * np.pi * 150 * t)


@pytest.mark.parametrize("sound", [_white_noise, _sine, _click_track, _hum])
def test_what_is_not_music_gets_no_confident_genre(classifier: Classifier, sound: Any) -> None:
    prediction = predict_clips(classifier, sound(np.arange(15 * RATE) / RATE))
    assert prediction.unsure
    assert prediction.label is None or prediction.confidence < classifier.calibration.unsure_below


def test_a_clear_verdict_is_sure(classifier: Classifier) -> None:
    prediction = fabricated(classifier, one_hot(3, 5), music=5.0, sounding=np.ones(5, np.float32))
    assert (prediction.label, prediction.unsure, prediction.music) == (classifier.labels[3], False, True)
    assert prediction.confidence > 0.99


def test_a_flat_verdict_is_unsure_and_names_the_likely_genres(classifier: Classifier) -> None:
    logits = np.zeros((5, 10), dtype=np.float32)
    logits[:, 0], logits[:, 2] = 0.5, 0.4
    prediction = fabricated(classifier, logits, music=5.0, sounding=np.ones(5, np.float32))
    assert prediction.unsure
    assert prediction.label == classifier.labels[0]
    assert prediction.likely()[:2] == [classifier.labels[0], classifier.labels[2]]


def test_a_third_genre_about_as_likely_is_named_too(classifier: Classifier) -> None:
    logits = np.zeros((1, 10), dtype=np.float32)
    logits[:, 0], logits[:, 2], logits[:, 5] = 3, 2.9, 2.8
    prediction = fabricated(classifier, logits, music=5.0, sounding=np.ones(1, np.float32))
    assert prediction.likely(3) == [classifier.labels[i] for i in (0, 2, 5)]
    assert prediction.likely(2) == [classifier.labels[i] for i in (0, 2)]


def test_a_distant_third_genre_is_not_named(classifier: Classifier) -> None:
    logits = np.zeros((1, 10), dtype=np.float32)
    logits[:, 0], logits[:, 2] = 3, 2.9
    prediction = fabricated(classifier, logits, music=5.0, sounding=np.ones(1, np.float32))
    assert prediction.likely(3) == [classifier.labels[0], classifier.labels[2]]


def test_refused_as_music_however_clear_the_genre(classifier: Classifier) -> None:
    prediction = fabricated(classifier, one_hot(3, 5), music=-5.0, sounding=np.ones(5, np.float32))
    assert (prediction.label, prediction.unsure, prediction.music) == (None, True, False)


def test_silent_patches_have_no_voice(classifier: Classifier) -> None:
    logits = np.concatenate([one_hot(3, 2), one_hot(7, 8)])
    sounding = np.array([1.0] * 2 + [0.0, 0.3] * 4, dtype=np.float32)
    prediction = fabricated(classifier, logits, music=5.0, sounding=sounding)
    assert prediction.label == classifier.labels[3]


def test_patches_that_are_not_music_have_little_voice(classifier: Classifier) -> None:
    music = np.array([4.0, 4.0] + [-4.0] * 8, dtype=np.float32)
    output = NetworkOutput(
        np.concatenate([one_hot(3, 2), one_hot(7, 8)]), music, np.ones((10, 4), np.float32)
    )
    pooled = pool(output, np.ones(10, np.float32))
    assert pooled.logits[3] > 10 * pooled.logits[7]
    assert pooled.music > 0.5


@pytest.mark.slow
def test_threads_share_a_classifier(classifier: Classifier) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predict_clips(classifier, riff(11)).probabilities, range(8)))
    assert all(answer == answers[0] for answer in answers)


def test_a_forked_child_answers_like_its_parent(classifier: Classifier) -> None:
    expected = predict_clips(classifier, riff(11)).probabilities
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(predict_clips(classifier, riff(11)).probabilities))
    child.start()
    assert answers.get(timeout=60) == expected
    child.join(timeout=60)
    assert child.exitcode == 0


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return Path(shutil.copytree(current_release(), tmp_path / "copy"))


def _change(release: Path, **values: Any) -> None:
    path = release / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_damaged_model_is_refused(release: Path) -> None:
    model = release / "model.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(bytes(content))
    with pytest.raises(ReleaseError, match="does not match the hash"):
        Classifier.load(release)


def test_a_missing_model_is_refused(release: Path) -> None:
    (release / "model.tflite").unlink()
    with pytest.raises(ReleaseError, match="cannot be read"):
        Classifier.load(release)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"format_version": 99}, "has format version 99"),
        ({"feature_version": "other"}, "trained on features other"),
        ({"calibration": {"temperature": 1.0}}, "calibration entry"),
        ({"patches": {}}, "patches entry"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(release: Path, values: dict[str, Any], reason: str) -> None:
    _change(release, **values)
    with pytest.raises(ReleaseError, match=reason):
        Classifier.load(release)


def test_other_patches_are_refused(release: Path) -> None:
    _change(release, patches=read_metadata(release)["patches"] | {"version": 99})
    with pytest.raises(ReleaseError, match="trained on patches 99"):
        Classifier.load(release)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format_version": 1}'])
def test_broken_metadata_are_refused(release: Path, content: str) -> None:
    (release / "metadata.json").write_text(content)
    with pytest.raises(ReleaseError):
        read_metadata(release)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="cannot be read"):
        Classifier.load(tmp_path / "nowhere")
