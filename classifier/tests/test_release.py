"""The release that ships: whole, honest, and equal to what it was trained as."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import dataset, patches
from classifier.core.activations import softmax
from classifier.core.artifact import TRAINING_FOLDER, ReleaseError
from classifier.core.audio import decode
from classifier.core.channels import ROBUSTNESS
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.outputs import pool
from classifier.fitting.artifact import keras_files
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.evaluation.outputs import run_tracks, through_fixed
from classifier.releases import (
    TRAINING_FILES,
    current_release,
    outside,
    read_evaluation_features,
    read_metadata,
    read_replay,
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(current_release())


@pytest.fixture(scope="module")
def network() -> Any:
    """The shipped network in Keras, which takes seconds to build."""
    return keras_files.load(current_release())


def test_metadata_say_what_a_person_must_know() -> None:
    metadata = read_metadata(current_release())
    assert metadata["name"] == current_release().name
    assert len(metadata["labels"]) == 10
    assert metadata["test"]["n"] == 290
    assert metadata["test"]["accuracy"]["value"] >= 0.55
    assert metadata["test"]["accuracy"]["low"] < metadata["test"]["accuracy"]["value"]
    assert set(metadata["test"]["recall"]) == set(metadata["labels"])
    assert {"seed", "date", "trained_on", "recipe", "test_channels"} <= metadata.keys()


def test_the_card_tells_the_measured_accuracy() -> None:
    accuracy = read_metadata(current_release())["test"]["accuracy"]["value"]
    card = (current_release() / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{100 * accuracy:.1f} %" in card
    metadata = read_metadata(current_release())
    assert card == model_card(metadata, outside=outside.read_valid(current_release(), metadata))


def test_the_release_is_small() -> None:
    assert (current_release() / "model.tflite").stat().st_size < 5e6
    for folder in (current_release(), current_release() / TRAINING_FOLDER):
        assert sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) < 10e6


def test_what_only_training_reads_lies_apart() -> None:
    assert {path.name for path in (current_release() / TRAINING_FOLDER).iterdir()} == TRAINING_FILES
    assert not TRAINING_FILES & {path.name for path in current_release().iterdir()}


@pytest.mark.slow
def test_litert_equals_keras(classifier: Classifier, network: Any) -> None:
    params = classifier.patch_params
    inputs = np.random.default_rng(0).uniform(-2, 1, (6, params.n_mels, params.n_columns)).astype(np.float32)
    expected = network.predict(inputs[..., None], verbose=0)
    got = classifier.network.run(inputs)
    for name, value in (("logits", got.logits), ("music", got.music_logits), ("embedding", got.embeddings)):
        np.testing.assert_allclose(value, np.asarray(expected[name]).reshape(value.shape), atol=1e-4)


@pytest.mark.slow
def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(current_release(), tmp_path / "copy"))
    weights = copy / TRAINING_FOLDER / WEIGHTS_FILE
    weights.write_bytes(b"nothing")
    with pytest.raises(ReleaseError, match="weights of release copy do not match"):
        keras_files.load(copy)
    weights.unlink()
    with pytest.raises(ReleaseError, match="weights of release copy cannot be read"):
        keras_files.load(copy)


@pytest.mark.slow
def test_audio_gives_the_features_and_the_verdict_of_the_training_set(
    classifier: Classifier, gtzan: Path
) -> None:
    known = dataset.load(gtzan)
    rows = {clip.name: i for i, clip in enumerate(known.clips)}
    files = sorted((gtzan / "lossless").glob("*.flac"))
    compared = 0
    for path in files:
        with path.open("rb") as file:
            features = extract(decode(file).samples)
        # The columns of a clip that is not exactly 30 s long lie slightly elsewhere.
        if features.mel_power.shape[1] != 1293:
            continue
        from_audio = patches.columns_db(features.mel_power, classifier.patch_params)
        stored = known.db(rows[path.stem])
        difference = np.abs(from_audio - from_audio.max() - (stored - stored.max()))
        assert np.quantile(difference, 0.999) < 0.35
        prediction = classifier.predict(features.mel_power, duration=features.duration)
        cut = patches.cut(stored, classifier.patch_params)
        pooled = pool(classifier.network.run(cut.inputs), np.ones(len(cut.inputs), dtype=np.float32))
        expected = softmax(pooled.logits / classifier.calibration.temperature)
        np.testing.assert_allclose(list(prediction.probabilities.values()), expected, atol=0.02)
        compared += 1
    assert compared >= 8


@pytest.mark.slow
def test_the_card_s_accuracy_is_what_the_shipped_file_gives(classifier: Classifier, gtzan: Path) -> None:
    known = dataset.load(gtzan)
    test = known.examples(known.part("test")[::10])
    logits = run_tracks(classifier.network, test.db, classifier.patch_params).logits
    right = int((logits.argmax(axis=1) == test.targets).sum())
    expected = read_metadata(current_release())["test"]["accuracy"]["value"]
    # 29 clips of 290: within four standard errors of the whole part's figure.
    assert abs(right / len(test) - expected) < 4 * (expected * (1 - expected) / len(test)) ** 0.5


def test_metadata_are_plain_json() -> None:
    text = (current_release() / "metadata.json").read_text(encoding="utf-8")
    assert json.loads(text) == read_metadata(current_release())


Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture(scope="module")
def head(network: Any) -> Layer:
    """The weights and offsets of the layer that turns an embedding into logits."""
    kernel, bias = network.get_layer("logits").get_weights()
    return kernel, bias


@pytest.mark.slow
def test_the_test_clips_give_the_published_figures_without_the_data(head: Layer) -> None:
    metadata, stored = read_metadata(current_release()), read_evaluation_features(current_release())
    kernel, bias = head
    verdict = (stored.embeddings @ kernel + bias).argmax(axis=1)
    assert len(stored.names) == 290
    assert (verdict == stored.targets).mean() == pytest.approx(
        metadata["test"]["accuracy"]["value"], abs=0.01
    )
    published = [metadata["labels"].index(metadata["test_predictions"][name][0]) for name in stored.names]
    assert (verdict == published).mean() > 0.99
    assert stored.channel_names == list(ROBUSTNESS)
    under = (stored.channel_embeddings @ kernel + bias).argmax(axis=2)
    assert (under == stored.targets).mean() == pytest.approx(metadata["robustness"]["mean"], abs=0.01)


@pytest.mark.slow
def test_the_replay_set_is_understood_by_the_head(head: Layer) -> None:
    metadata, replay = read_metadata(current_release()), read_replay(current_release())
    kernel, bias = head
    right = (replay.embeddings @ kernel + bias).argmax(axis=1) == replay.targets
    assert len(replay.names) == metadata["trained_on"]["tracks"]
    assert right[replay.variant == 0].mean() > 0.8
    assert right[replay.variant > 0].mean() > 0.5
    assert not set(replay.names) & set(read_evaluation_features(current_release()).names)
    np.testing.assert_array_equal(replay.targets, replay.targets[replay.variant == 0][replay.clip])


@pytest.mark.parametrize("read", [read_replay, read_evaluation_features])
def test_altered_or_missing_memories_are_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(current_release(), tmp_path / "copy"))
    file = copy / TRAINING_FOLDER / ("replay.npz" if read is read_replay else "frozen.npz")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ReleaseError, match="does not match the hash"):
        read(copy)
    file.unlink()
    with pytest.raises(ReleaseError, match="cannot be read"):
        read(copy)


@pytest.mark.slow
def test_stored_test_embeddings_are_those_of_the_clips(classifier: Classifier, gtzan: Path) -> None:
    known, stored = dataset.load(gtzan), read_evaluation_features(current_release())
    rows = known.part("test")
    assert [known.clips[row].name for row in rows] == stored.names
    chosen = slice(0, 290, 58)
    some = known.examples(rows)
    params = classifier.patch_params
    clean = run_tracks(classifier.network, some.db[chosen], params)
    np.testing.assert_allclose(clean.embeddings, stored.embeddings[chosen], atol=0.01, rtol=0.01)
    np.testing.assert_array_equal(some.targets, stored.targets)
    name = stored.channel_names[7]
    degraded = through_fixed(some.db[:3], name, params)
    channelled = run_tracks(classifier.network, degraded, params).embeddings
    np.testing.assert_allclose(channelled, stored.channel_embeddings[7, :3], atol=0.01, rtol=0.01)
