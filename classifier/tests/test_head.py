"""Quick runs: a new genre, more clips of old ones, and the embeddings that versions store for the next."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import dataset, patches
from classifier.core.activations import softmax
from classifier.core.artifact import ReleaseError
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.fitting.artifact.keras_files import load
from classifier.fitting.evaluation.outputs import run_tracks
from classifier.fitting.evaluation.version import evaluate_version
from classifier.fitting.networks.head import fit_head, head_training_set
from classifier.fitting.networks.refit import refit_head
from classifier.fitting.networks.regression import Affine
from classifier.releases import current_release, read_evaluation_features, read_metadata, read_replay
from classifier.synthesis.chiptune import chiptune

FloatArray = NDArray[np.float32]
SECONDS = 6.0


@pytest.fixture(scope="module")
def embedded() -> FloatArray:
    """Embeddings of sixty pieces of a genre that the shipped network was not trained on."""
    classifier = Classifier.load(current_release())
    params = classifier.patch_params
    columns = [patches.columns_db(extract(chiptune(i, SECONDS)).mel_power, params) for i in range(60)]
    return run_tracks(classifier.network, columns, params).embeddings


@pytest.fixture(scope="module")
def shares() -> list[float]:
    """What the fit of `taught` told of its progress."""
    return []


@pytest.fixture(scope="module")
def taught(embedded: FloatArray, shares: list[float], tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [*read_metadata(current_release())["labels"], "chiptune"]
    return refit_head(
        current_release(),
        embedded[:40],
        np.full(40, 10),
        labels,
        out=tmp_path_factory.mktemp("taught") / "candidate",
        names=[f"chip {i}" for i in range(40)],
        on_share=shares.append,
    )


@pytest.fixture(scope="module")
def network(taught: Path) -> Any:
    return load(taught)


@pytest.mark.slow
def test_an_eleventh_genre_is_found_and_the_ten_others_are_kept(
    taught: Path, network: Any, embedded: FloatArray
) -> None:
    layer = network.get_layer("logits")
    head = Affine(*(np.asarray(w, dtype=np.float64) for w in layer.get_weights()))
    assert (head(embedded[40:]).argmax(axis=1) == 10).mean() >= 0.7
    before, after = (read_metadata(path)["test"]["accuracy"]["value"] for path in (current_release(), taught))
    assert after >= before - 0.03
    # The metadata hold the figure of the stored embeddings.
    stored = read_evaluation_features(taught)
    assert (head(stored.embeddings).argmax(axis=1) == stored.targets).mean() == pytest.approx(after)


@pytest.mark.slow
def test_it_tells_how_much_is_done_after_each_part(taught: Path, shares: list[float]) -> None:
    assert (taught / "model.tflite").exists()
    # The network, the head, four folds, their end, the files, the figures.
    assert len(shares) == 9
    assert shares == sorted(shares)
    assert (shares[0] > 0, shares[-1]) == (True, 1.0)


@pytest.mark.slow
def test_the_served_file_gives_what_the_new_layer_gives(taught: Path, network: Any) -> None:
    classifier = Classifier.load(taught)
    assert classifier.labels[-1] == "chiptune"
    sound = extract(chiptune(55, SECONDS))
    prediction = classifier.predict(sound.mel_power, duration=sound.duration)
    cut = patches.from_power(sound.mel_power, classifier.patch_params)
    logits = np.asarray(network.predict(cut.inputs[..., None], verbose=0)["logits"])
    served = classifier.network.run(cut.inputs)
    np.testing.assert_allclose(served.logits, logits, atol=1e-3)
    assert set(prediction.probabilities) == set(classifier.labels)
    old = Classifier.load(current_release()).network.run(cut.inputs)
    np.testing.assert_allclose(served.embeddings, old.embeddings, atol=1e-3)


@pytest.mark.slow
def test_metadata_say_what_was_kept_and_measured(taught: Path) -> None:
    base, metadata = read_metadata(current_release()), read_metadata(taught)
    assert metadata["backbone_sha256"] == base["backbone_sha256"]
    assert metadata["sha256"] != base["sha256"]
    assert metadata["trained_on"]["clips"] == {"chiptune": 40}
    assert metadata["test"]["recall"]["chiptune"] is None
    assert set(metadata["test_predictions"]) == set(base["test_predictions"])
    assert metadata["calibration"]["temperature"] >= 0.9 * base["calibration"]["temperature"]
    assert "chiptune" in (taught / "MODEL_CARD.md").read_text(encoding="utf-8")
    found = evaluate_version(taught)
    assert found["test"] == metadata["test"]
    assert found["speed"]["milliseconds"] > 0
    assert set(found["not_measured"]) == {"holdout"}


@pytest.mark.slow
def test_quick_runs_follow_each_other_and_forget_what_they_are_told_to(
    taught: Path, embedded: FloatArray, tmp_path: Path
) -> None:
    remembered = read_replay(taught)
    shipped = len(read_replay(current_release()).names)
    assert len(remembered.names) == shipped + 40
    again = refit_head(
        taught,
        embedded[38:42],
        np.full(4, 10),
        read_metadata(taught)["labels"],
        out=tmp_path / "again",
        names=["chip 38", "chip 39", "new 1", "new 2"],
        forget=["chip 0"],
    )
    names = read_replay(again).names
    assert len(names) == len(set(names)) == shipped + 41
    assert "chip 0" not in names
    assert read_metadata(again)["trained_on"]["base"] == "candidate"


def present_head() -> Affine:
    """The last layer of the shipped network."""
    network = load(current_release())
    return Affine(*(np.asarray(w, dtype=np.float64) for w in network.get_layer("logits").get_weights()))


@pytest.mark.slow
def test_fifty_right_labels_of_real_clips_do_no_harm(gtzan: Path) -> None:
    known = dataset.load(gtzan)
    outside = [i for i, clip in enumerate(known.clips) if clip.part == ""]
    chosen = np.random.default_rng(0).permutation(outside)[:50]
    clips = known.examples(chosen.tolist())
    classifier = Classifier.load(current_release())
    rows = run_tracks(classifier.network, clips.db, classifier.patch_params).embeddings
    present, replay = present_head(), read_replay(current_release())
    head = fit_head(head_training_set(replay, rows, clips.targets), present, 10)
    stored = read_evaluation_features(current_release())
    before, after = (
        (layer(stored.embeddings).argmax(axis=1) == stored.targets).mean() for layer in (present, head)
    )
    # One clip of 290 is a third of a point; three clips are no harm.
    assert after >= before - 3.5 / 290


@pytest.mark.parametrize("change", ["shape", "nan", "target", "labels", "empty", "untaught"])
def test_what_does_not_fit_is_refused(change: str, tmp_path: Path) -> None:
    labels = read_metadata(current_release())["labels"]
    width = read_replay(current_release()).embeddings.shape[1]
    given: dict[str, Any] = {
        "embeddings": np.zeros((2, width), np.float32),
        "targets": np.zeros(2, np.intp),
        "labels": labels,
    }
    given |= {
        "shape": {"embeddings": np.zeros((2, width + 1), np.float32)},
        "nan": {"embeddings": np.full((2, width), np.nan, np.float32)},
        "target": {"targets": np.full(2, 10)},
        "labels": {"labels": labels[::-1]},
        "empty": {"embeddings": np.zeros((0, width), np.float32), "targets": np.zeros(0, np.intp)},
        "untaught": {"labels": [*labels, "chiptune"]},
    }[change]
    with pytest.raises(ValueError, match=r"labels|embeddings|clips|no clip"):
        refit_head(current_release(), out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_version_without_a_memory_cannot_be_taught(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(current_release(), tmp_path / "copy"))
    (copy / "training" / "replay.npz").unlink()
    labels = json.loads((copy / "metadata.json").read_text())["labels"]
    with pytest.raises(ReleaseError, match="replay"):
        refit_head(copy, np.zeros((1, 1), np.float32), np.zeros(1, np.intp), labels, out=tmp_path / "out")


def test_a_flood_of_one_genre_does_not_change_what_is_expected() -> None:
    # Two old genres that overlap along the first value; 500 new clips of the first one arrive.
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2
    rows = (rng.normal(size=(200, 4)) + np.eye(4)[0] * (2 * targets[:, None] - 1)).astype(np.float32)
    replay = read_replay(current_release())
    names = [str(i) for i in range(200)]
    small = type(replay)(rows, targets, np.arange(200), np.zeros(200, np.intp), names)
    present = Affine(np.eye(4)[:, :1] * np.array([[-1.0, 1.0]]), np.zeros(2))
    flood = (rng.normal(size=(500, 4)) - np.eye(4)[0]).astype(np.float32)
    head = fit_head(head_training_set(small, flood, np.zeros(500, np.intp)), present, 2)
    # By their number alone, the first genre would be 16 times as likely half way between the two.
    np.testing.assert_allclose(softmax(head(np.zeros((1, 4)))), 0.5, atol=0.15)
    found = head(rows).argmax(axis=1)
    for genre in (0, 1):
        assert (found[targets == genre] == genre).mean() > 0.75
