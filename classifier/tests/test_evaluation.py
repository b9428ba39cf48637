"""Methods under protocols, on a data set small enough for seconds: kept, continued, put into one table."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.core.baselines import FEATURES_FILE, Sounds
from classifier.core.inference import read_metadata
from classifier.core.summary import COLUMNS
from classifier.fitting.evaluation import runner, table
from classifier.fitting.evaluation.runner import Cell, Outcome, Progress, Workspace
from classifier.fitting.methods import METHODS, Average
from classifier.tests.datasets import write_dataset
from classifier.tests.shipped import network_alone

PARTS = ("train", "train", "train", "valid", "test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixty clips of three genres by thirty artists, each genre in its own bands."""
    rng = np.random.default_rng(0)
    rows, levels = [], []
    for place, genre in enumerate(("high", "low", "middle")):
        for i in range(20):
            rows.append((f"{genre}.{i}", genre, f"{genre} artist {i // 2}", "", PARTS[i % 5]))
            spectrum = np.exp(-(((np.arange(128) - 20 - 40 * place) / 12) ** 2))
            levels.append(np.clip(200 * spectrum[:, None] + rng.normal(20, 30, (128, 120)), 0, 255))
    folder = write_dataset(tmp_path / "data", rows, np.array(levels).astype(np.uint8))
    with (folder / FEATURES_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("filename", *COLUMNS))
        writer.writerows((f"{row[0]}.wav", *rng.normal(0, 1, len(COLUMNS))) for row in rows)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The shipped release without a table of its own."""
    return network_alone(tmp_path / "release")


@pytest.fixture
def workspace(data: Path, release: Path, tmp_path: Path) -> Workspace:
    return Workspace(data=data, release=release, work=tmp_path / "work")


def ignore(progress: Progress) -> None:
    pass


def some(workspace: Workspace, methods: list[str], protocols: list[str], seeds: int = 1) -> list[Cell]:
    return list(runner.cells(workspace, methods=methods, protocols=protocols, seeds=seeds))


def row_of(table: dict[str, Any], method: str, protocol: str) -> dict[str, Any]:
    return next(row for row in table["results"] if (row["method"], row["protocol"]) == (method, protocol))


@pytest.mark.slow
def test_what_is_finished_is_not_computed_again(workspace: Workspace) -> None:
    chosen = some(workspace, ["gaussian_knn"], ["artist"])
    assert len(chosen) == 5
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(workspace, chosen, on_progress=interrupt)
    assert [p.done for p in seen] == [0, 1, 2]
    assert seen[0].seconds_left is None
    assert seen[2].seconds_left is not None
    partial = row_of(table.table(workspace), "gaussian_knn", "artist")
    assert partial["folds"] == [1, 2]
    assert partial["n_folds"] == 5

    seen.clear()
    runner.run(workspace, chosen, on_progress=seen.append)
    assert [p.done for p in seen] == [2, 3, 4, 5]
    whole = row_of(table.table(workspace), "gaussian_knn", "artist")
    assert whole["n"] == 60
    assert np.sum(whole["confusion"]) == 60
    seen.clear()
    runner.run(workspace, chosen, on_progress=seen.append)
    assert not seen


def test_other_data_or_settings_make_other_cells(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = some(workspace, ["gaussian_knn"], ["filtered"])[0]
    runner.run(workspace, [cell], on_progress=ignore)
    assert workspace.finished(cell) is not None

    from classifier.core.baselines import GaussianKnn

    entry = METHODS["gaussian_knn"]
    other = type(entry)(entry.title, lambda context: GaussianKnn(k=3))
    monkeypatch.setitem(METHODS, "gaussian_knn", other)
    assert workspace.finished(cell) is None
    monkeypatch.undo()
    with (workspace.data / "tracks.csv").open("a") as file:
        file.write("\n")
    changed = Workspace(data=workspace.data, release=workspace.release, work=workspace._work)
    assert changed.finished(cell) is None


def test_a_method_sees_the_train_part_only_and_is_asked_about_the_rest(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on: list[str] = []
    predicted: list[str] = []

    class Spy:
        settings: dict[str, Any] = {}

        def fit(self, train: Sounds, *, seed: int) -> None:
            trained_on.extend(train.names)

        def predict_proba(self, sounds: Sounds) -> np.ndarray:
            predicted.extend(sounds.names)
            return np.full((len(sounds), sounds.n_labels), 1 / sounds.n_labels)

    entry = METHODS["gaussian_knn"]
    monkeypatch.setitem(METHODS, "gaussian_knn", type(entry)(entry.title, lambda context: Spy()))
    runner.run(workspace, some(workspace, ["gaussian_knn"], ["filtered"]), on_progress=ignore)
    by_name = {clip.name: clip.part for clip in workspace.dataset.clips}
    assert {by_name[name] for name in trained_on} == {"train"}
    assert len(trained_on) == 36
    assert [by_name[name] for name in predicted] == ["valid"] * 12 + ["test"] * 12


@pytest.mark.slow
def test_several_seeds_are_one_row(workspace: Workspace) -> None:
    chosen = some(workspace, ["feature_mlp", "gaussian_knn"], ["filtered"], seeds=2)
    assert [(c.method, c.seed) for c in chosen] == [
        ("feature_mlp", 0),
        ("feature_mlp", 1),
        ("gaussian_knn", 0),
    ]
    runner.run(workspace, chosen, on_progress=ignore)
    result = table.table(workspace)
    mlp = row_of(result, "feature_mlp", "filtered")
    assert mlp["seeds"] == [0, 1]
    assert len(mlp["accuracies"]) == 2
    assert mlp["deviation"] is not None
    assert mlp["calibrated_on"] == "validation"
    # Noise teaches nothing; bands do.
    assert mlp["accuracy"]["value"] < 0.7 < row_of(result, "gaussian_knn", "filtered")["accuracy"]["value"]


def test_a_fit_is_kept_before_its_state_is_removed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell("gaussian_knn", "filtered", 0, 0)
    checkpoint = workspace._work / "gaussian_knn" / "filtered-0-0.checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.npz").write_bytes(b"hours of work")

    def full(self: Workspace, cell: Cell, outcome: Outcome) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Workspace, "keep", full)
    with pytest.raises(OSError, match="space"):
        runner.run(workspace, [cell], on_progress=ignore)
    assert (checkpoint / "state.npz").exists()
    monkeypatch.undo()
    runner.run(workspace, [cell], on_progress=ignore)
    assert workspace.finished(cell) is not None
    assert not checkpoint.exists()


@pytest.mark.slow
def test_what_is_averaged_rests_on_the_fits_of_other_methods(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"feature_mlp": 0.75, "gaussian_knn": 0.25}
    entry = METHODS["feature_mlp"]
    monkeypatch.setitem(METHODS, "residual_cnns", replace(entry, average=Average(weights)))
    chosen = some(workspace, ["residual_cnns"], ["filtered"])
    assert chosen == [Cell("residual_cnns", "filtered", 0, 0)]
    first = Cell("feature_mlp", "filtered", 0, 0)
    runner.run(workspace, [first], on_progress=ignore)
    fitted: list[str] = []
    kept = Workspace.keep

    def keep(self: Workspace, cell: Cell, outcome: Outcome) -> None:
        fitted.append(str(cell))
        kept(self, cell, outcome)

    monkeypatch.setattr(Workspace, "keep", keep)
    runner.run(workspace, chosen, on_progress=ignore)
    assert fitted == ["gaussian_knn, filtered, fold 1, seed 0", "residual_cnns, filtered, fold 1, seed 0"]
    mean, *members = (
        workspace.finished(replace(chosen[0], method=name)) for name in ("residual_cnns", *weights)
    )
    assert mean is not None
    assert members[0] is not None
    assert members[1] is not None
    product = np.maximum(members[0].test, 1e-12) ** 0.75 * np.maximum(members[1].test, 1e-12) ** 0.25
    assert np.allclose(mean.test, product / product.sum(axis=1, keepdims=True), atol=1e-5)
    row = row_of(table.table(workspace), "residual_cnns", "filtered")
    assert row["settings"]["networks"] == 2
    assert row["settings"]["weights"] == weights
    assert row["seeds"] == [0]


def test_an_average_is_stale_when_one_of_its_members_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = METHODS["feature_mlp"]
    monkeypatch.setitem(METHODS, "residual_cnns", replace(entry, average=Average({"feature_mlp": 1.0})))
    before = workspace.identity("residual_cnns", "filtered")
    monkeypatch.setitem(METHODS, "feature_mlp", replace(entry, make=METHODS["gaussian_knn"].make))
    assert workspace.identity("residual_cnns", "filtered") != before


@pytest.mark.slow
def test_pieces_are_classified_without_the_table_of_clips(workspace: Workspace) -> None:
    runner.run(workspace, some(workspace, ["feature_mlp"], ["segment"]), on_progress=ignore)
    row = row_of(table.table(workspace), "feature_mlp", "segment")
    assert row["settings"]["features"] == 48
    assert row["n"] == 60
    assert row["accuracy"]["value"] > 0.8


def test_the_release_is_asked_about_the_filtered_test_part_alone(workspace: Workspace) -> None:
    chosen = some(workspace, ["release"], ["filtered", "track", "artist", "segment"])
    assert chosen == [Cell("release", "filtered", 0, 0)]
    gaps = {(gap["method"], gap["protocol"]) for gap in table.table(workspace)["unfit"]}
    assert gaps == {("release", "track"), ("release", "artist"), ("release", "segment")}


@pytest.mark.slow
def test_a_table_carries_over_what_still_holds(workspace: Workspace, tmp_path: Path) -> None:
    runner.run(workspace, some(workspace, ["gaussian_knn"], ["filtered", "artist"]), on_progress=ignore)
    first = table.table(workspace)
    table.write(first, workspace.release)
    elsewhere = Workspace(data=workspace.data, release=workspace.release, work=tmp_path / "empty")
    assert table.table(elsewhere)["results"] == []
    carried = table.table(elsewhere, carry=[None, workspace.release])
    assert carried["results"] == first["results"]

    # A row that rests on less gives way, and one that something else decided is not taken.
    for row in first["results"]:
        row["folds"] = row["folds"][:1] if row["protocol"] == "artist" else row["folds"]
        row["identity"] = "0" * 64 if row["protocol"] == "filtered" else row["identity"]
    table.write(first, workspace.release)
    assert [row["protocol"] for row in table.table(elsewhere, carry=[workspace.release])["results"]] == [
        "artist"
    ]
    assert (
        len(row_of(table.table(workspace, carry=[workspace.release]), "gaussian_knn", "artist")["folds"]) == 5
    )


@pytest.fixture
def run(data: Path, release: Path, tmp_path: Path) -> Callable[..., None]:
    def command(*words: str) -> None:
        folders = {"--data": data, "--out": release, "--work": tmp_path / "work"}
        call_command("evaluate", *(str(part) for pair in folders.items() for part in pair), *words)

    return command


@pytest.mark.slow
def test_the_command_writes_both_files(
    run: Callable[..., None], release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--method", "gaussian_knn", "--method", "statistics_svm", "--protocol", "filtered", "--threads", "1")
    printed = capsys.readouterr().out
    assert "0/2  gaussian_knn, filtered, fold 1, seed 0" in printed
    table = json.loads((release / "evaluation.json").read_text())
    assert [row["method"] for row in table["results"]] == ["statistics_svm", "gaussian_knn"]
    assert table["sha256"] == read_metadata(release)["sha256"]
    text = (release / "EVALUATION.md").read_text()
    accuracy = table["results"][0]["accuracy"]["value"]
    assert f"| SVM on spectrogram statistics | {100 * accuracy:.1f} % (" in text
    assert "LEAKY" in text
    assert "Nothing was measured under this protocol yet." in text
    assert sorted(path.name for path in release.iterdir()) == [
        "EVALUATION.md",
        "evaluation.json",
        "metadata.json",
        "model.tflite",
    ]


@pytest.mark.slow
def test_an_interrupted_command_says_so_and_keeps_its_table(
    run: Callable[..., None], release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--method", "gaussian_knn", "--protocol", "filtered")

    def interrupt(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "compute", interrupt)
    with pytest.raises(CommandError, match="Interrupted") as stopped:
        run("--method", "gaussian_knn", "--protocol", "track")
    assert stopped.value.returncode == 130
    assert len(json.loads((release / "evaluation.json").read_text())["results"]) == 1
    # Asked for the table alone, it computes nothing; asked to begin again, it does.
    run("--table-only")
    with pytest.raises(CommandError, match="Interrupted"):
        run("--method", "gaussian_knn", "--protocol", "filtered", "--again")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "0"), "at least 1"),
        (("--threads", "0"), "at least 1"),
        (("--data", "/nowhere"), "cannot be read"),
        (("--method", "magic"), "invalid choice"),
        (("--protocol", "magic"), "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Callable[..., None], words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run("--method", "gaussian_knn", *words)


def test_a_missing_table_of_features_is_named(run: Callable[..., None], data: Path) -> None:
    (data / FEATURES_FILE).unlink()
    with pytest.raises(CommandError, match=r"features_30_sec\.csv cannot be read"):
        run("--method", "feature_mlp", "--protocol", "filtered")


@pytest.mark.slow
def test_a_network_learns_the_easy_task(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.fitting.loop.epochs import use_threads
    from classifier.fitting.methods import spectrogram

    use_threads(1)
    words: list[str] = []
    context = workspace.context("filtered", workspace._work, words.append)
    method = spectrogram.MfccCnn(context)
    method._course = spectrogram.Course(epochs=4, learning_rate=3e-3)
    fold = workspace.split("filtered").folds[0]
    method.fit(workspace.sounds("filtered", fold.train), seed=0)
    predicted = workspace.sounds("filtered", fold.test)
    probabilities = method.predict_proba(predicted)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == predicted.examples.targets).mean() > 0.8
    assert [word.split(",")[0] for word in words] == [f"epoch {i}/4" for i in range(1, 5)]


@pytest.mark.slow
def test_the_platforms_network_is_fitted_on_pieces_and_continued(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:

    from classifier.core.networks import DescriptorMlpParams, ResidualCnnParams
    from classifier.fitting.loop.epochs import FitParams
    from classifier.fitting.methods import platform
    from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe
    from classifier.fitting.networks.recipe import Recipe

    recipe = Recipe()
    small = replace(
        recipe,
        network=ResidualCnnParams(stem=2, widths=(2,), n_embedding=4, statistics=4),
        n_outliers=4,
        outlier_seconds=3.0,
    )
    monkeypatch.setattr(platform, "Recipe", lambda: small)
    monkeypatch.setattr(platform, "PIECE_EPOCHS", 2)
    mlp_recipe = DescriptorMlpRecipe(
        network=DescriptorMlpParams(hidden=8, n_embedding=4), fit=FitParams(epochs=2)
    )
    monkeypatch.setattr(platform, "DescriptorMlpRecipe", lambda: mlp_recipe)
    cell = some(workspace, ["residual_cnns"], ["segment"])[0]

    def interrupt(progress: Progress) -> None:
        if progress.word.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(workspace, [cell], on_progress=interrupt)
    words: list[str] = []
    runner.run(workspace, [cell], on_progress=lambda progress: words.append(progress.word))
    # What was interrupted goes on after its first epoch; then comes the one beside it.
    assert [word.split(",")[0] for word in words if word] == ["epoch 2/2", "epoch 1/2", "epoch 2/2"]
    outcome = workspace.finished(cell)
    assert outcome is not None
    assert outcome.test.shape == (60, 3)
    assert not list(workspace._work.glob("*/*.checkpoint"))
