"""The way from a data set to a release folder, on a data set small enough for seconds."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.core.inference import Classifier
from classifier.core.networks import DescriptorMlpParams, ResidualCnnParams
from classifier.core.patches import PatchParams
from classifier.fitting.artifact import keras_files
from classifier.fitting.data.feed import FeedParams
from classifier.fitting.loop.epochs import FitParams
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.networks.descriptor_mlp import CopiesParams, DescriptorMlpRecipe
from classifier.fitting.networks.recipe import Recipe
from classifier.fitting.release.train import train_release
from classifier.tests.datasets import write_dataset

RECIPE = Recipe(
    patches=PatchParams(n_columns=32, hop_columns=32),
    network=ResidualCnnParams(stem=2, widths=(2,), n_embedding=4, statistics=4, descriptors=4),
    feed=FeedParams(batch_size=4),
    fit=FitParams(epochs=2),
    descriptor_mlp=DescriptorMlpRecipe(
        network=DescriptorMlpParams(hidden=8, n_embedding=4),
        copies=CopiesParams(copies=1),
        fit=FitParams(epochs=2),
    ),
    calibration_folds=2,
    n_outliers=5,
    outlier_seconds=3.0,
)


class InterruptionError(Exception):
    pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        (f"{genre}.{part}.{i}", genre, "", "", part)
        for part in ("train", "valid", "test")
        for genre in ("high", "low")
        for i in range(3)
    ]
    levels = np.random.default_rng(0).integers(100, 255, (len(rows), 128, 80)).astype(np.uint8)
    return write_dataset(tmp_path / "data", rows, levels)


@pytest.mark.slow
def test_an_interrupted_release_is_finished_later_and_replaces_another(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "releases" / "2000.01"

    def interrupt(network: str, report: EpochReport) -> None:
        raise InterruptionError

    with pytest.raises(InterruptionError):
        train_release(data=data, out=out, seed=1, recipe=RECIPE, threads=1, on_epoch=interrupt)
    assert not out.exists()

    out.mkdir()
    (out / "leftover").touch()
    epochs: list[tuple[str, int]] = []
    train_release(
        data=data,
        out=out,
        seed=1,
        recipe=RECIPE,
        threads=1,
        on_epoch=lambda network, report: epochs.append((network, report.epoch)),
    )
    assert epochs == [
        (network, epoch)
        for network in (
            *("calibration fold 1 of 2", "calibration fold on descriptors 1 of 2"),
            *("calibration fold 2 of 2", "calibration fold on descriptors 2 of 2"),
            *("member 1 of 1", "member on descriptors 1 of 1"),
        )
        for epoch in (1, 2)
    ]
    assert [path.name for path in out.parent.iterdir()] == ["2000.01"]
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "MODEL_CARD.md",
        "metadata.json",
        "model.tflite",
        "training/frozen.npz",
        "training/network.weights.h5",
        "training/replay.npz",
    }
    classifier = Classifier.load(out)
    assert classifier.labels == ("high", "low")
    prediction = classifier.predict(np.ones((128, 500), dtype=np.float32), duration=11.6)
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert keras_files.load(out).count_params() == classifier.metadata["parameters"]

    metadata = json.loads((out / "metadata.json").read_text())
    assert (metadata["name"], metadata["seed"], metadata["test"]["n"]) == ("2000.01", 1, 6)
    # Each clip of the other two parts was predicted once.
    assert metadata["validation"]["n"] == 12


def test_the_command_names_data_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("train_release", data=tmp_path / "nowhere", seed=0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
