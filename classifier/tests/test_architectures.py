"""Every architecture from the beginning, on a task of seconds: is the energy low or high?"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core.artifact import ReleaseError
from classifier.core.baseline_models import N_FEATURES
from classifier.core.dataset import Examples
from classifier.core.explain import NotExplainableError, explain
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.core.verification import verify
from classifier.fitting.architectures import FITTERS
from classifier.fitting.evaluation.calibration import CAUTIOUS
from classifier.fitting.evaluation.outputs import Clips
from classifier.fitting.evaluation.version import evaluate_version
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.loop.task import FitTask
from classifier.tests.sounds import noise, silence, tune

LABELS = ("high", "low")


def examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    slope = np.linspace(0.0, 40.0, 128)[None, :, None] * (2 * targets - 1)[:, None, None]
    db = (slope + rng.normal(0, 4, (n, 128, 70)) - 60).astype(np.float32)
    summary = rng.normal(size=(n, N_FEATURES)) + 3 * targets[:, None]
    return Examples(list(db), targets.astype(np.intp), summary.astype(np.float32))


def fitted(name: str, work: Path, reports: list[EpochReport], **changed: Any) -> bool:
    given = FitTask(
        train=examples(24, 0),
        valid=examples(24, 1),
        labels=LABELS,
        seed=0,
        epochs=2,
        work=work,
        threads=1,
        on_epoch=reports.append,
        should_stop=lambda: False,
    )
    return FITTERS[name].fit(replace(given, **changed))


@pytest.mark.parametrize("name", ["mfcc-knn", "feature-mlp"])
@pytest.mark.slow
def test_plain_methods_learn_serve_and_are_measured(name: str, tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    work = tmp_path / name
    assert fitted(name, work, reports, epochs=None)
    usual = FITTERS[name].epochs
    assert len(reports) == (usual or 0)
    if reports:
        assert reports[-1].loss < reports[0].loss
        assert reports[-1].val_accuracy == 1.0
        assert reports[-1].accuracy == 1.0
    classifier = Classifier.load(work)
    verify(work)
    sound = extract(tune(20.0))
    prediction = classifier.predict(sound.mel_power, duration=sound.duration, samples=tune(20.0))
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert len(prediction.timeline) > 1
    assert prediction.timeline[0].start == 0.0
    assert prediction.timeline[-1].end == pytest.approx(20.0, abs=0.1)
    test = examples(12, 2)
    found = evaluate_version(work, test=Clips([f"{LABELS[t]}.{i}" for i, t in enumerate(test.targets)], test))
    assert found["test"]["accuracy"]["value"] == 1.0
    assert len(found["test_predictions"]) == 12
    assert found["size"]["bytes"] == (work / "model.npz").stat().st_size
    assert ("robustness" in found["not_measured"]) == (name == "feature-mlp")
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mfcc-knn", "feature-mlp"])
def test_silence_is_no_music_to_plain_methods(name: str, tmp_path: Path) -> None:
    fitted(name, tmp_path, [])
    classifier = Classifier.load(tmp_path)
    sound = extract(silence(6.0))
    prediction = classifier.predict(sound.mel_power, duration=6.0, samples=silence(6.0))
    assert (prediction.label, prediction.unsure) == (None, True)


@pytest.mark.slow
def test_what_cannot_be_explained_says_so(tmp_path: Path) -> None:
    fitted("feature-mlp", tmp_path, [])
    classifier = Classifier.load(tmp_path)
    power = extract(noise(4.0)).mel_power
    with pytest.raises(NotExplainableError):
        explain(power, classifier=classifier, duration=4.0)
    with pytest.raises(ValueError, match="needs the sound itself"):
        classifier.predict(power, duration=4.0)
    assert classifier.predict_stored(examples(1, 0).db[0]) is None


@pytest.mark.slow
def test_neighbours_can_be_explained(tmp_path: Path) -> None:
    fitted("mfcc-knn", tmp_path, [])
    found = explain(extract(tune(6.0)).mel_power, classifier=Classifier.load(tmp_path), duration=6.0)
    assert np.isfinite(found.effects).all()


def test_what_is_not_there_is_said_to_be_not_measured(tmp_path: Path) -> None:
    fitted("mfcc-knn", tmp_path, [])
    found = evaluate_version(tmp_path)
    assert set(found["not_measured"]) == {"test", "robustness", "holdout"}
    assert not {"test", "robustness", "holdout"} & found.keys()


def test_too_few_to_calibrate_are_read_with_caution(tmp_path: Path) -> None:
    assert fitted("mfcc-knn", tmp_path, [], valid=examples(4, 1))
    assert Classifier.load(tmp_path).calibration == CAUTIOUS
    assert "validation" not in Classifier.load(tmp_path).metadata


@pytest.mark.parametrize("name", list(FITTERS))
@pytest.mark.slow
def test_a_stop_before_the_first_batch_leaves_no_version(name: str, tmp_path: Path) -> None:
    if FITTERS[name].epochs is not None and name == "efficientnet-b0":
        pytest.skip("stops in the same loop as residual-cnn, and takes long to build")
    reports: list[EpochReport] = []
    assert not fitted(name, tmp_path / "work", reports, should_stop=lambda: True)
    assert reports == []
    with pytest.raises(ReleaseError):
        Classifier.load(tmp_path / "work")
