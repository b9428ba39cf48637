"""Fitting, on a task small enough to be solved in seconds: is the energy low or high?"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import networks
from classifier.core.dataset import Examples
from classifier.core.networks import ResidualCnnParams
from classifier.core.patches import PatchParams
from classifier.fitting.data import outliers
from classifier.fitting.data.feed import Feed, FeedParams
from classifier.fitting.evaluation import calibration
from classifier.fitting.loop.epochs import FitParams, NetworkFit, fit, use_threads
from classifier.fitting.loop.losses import mean_loss
from classifier.fitting.loop.reports import EpochReport

# Networks are fitted here.
pytestmark = pytest.mark.slow

FloatArray = NDArray[np.float32]
PATCHES = PatchParams(n_columns=32, hop_columns=16)
SHAPE = ResidualCnnParams(stem=4, widths=(8,), n_embedding=8, descriptors=8, norm_momentum=0.5)
FEED = FeedParams(batch_size=8, crops_per_epoch=4, channel_probability=0.0, masks=0)
FIT = FitParams(epochs=4, learning_rate=0.01, average_decay=0.5)


class CancelledError(Exception):
    pass


def examples(n: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    slope = np.linspace(0.0, 30.0, PATCHES.n_mels)[None, :, None] * (2 * targets - 1)[:, None, None]
    db = (slope + rng.normal(0, 3, (n, PATCHES.n_mels, 60))).astype(np.float32)
    return Examples(db=list(db), targets=targets.astype(np.intp))


def make_feed(
    params: FeedParams = FEED, sounds: list[FloatArray] | None = None, seed: int = 0, views: int = 1
) -> Feed:
    return Feed(
        examples(16), sounds or [], n_labels=2, patch_params=PATCHES, params=params, seed=seed, views=views
    )


def make_model() -> Any:
    use_threads(1)
    return networks.residual_cnn(n_labels=2, patches=PATCHES, params=SHAPE, seed=3)


def ignore(report: EpochReport) -> None:
    pass


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def fitted(checkpoint: Path) -> tuple[Any, list[EpochReport]]:
    model = make_model()
    reports: list[EpochReport] = []
    fit(
        model,
        make_feed(),
        FIT,
        checkpoint=checkpoint,
        identity="a",
        on_epoch=reports.append,
    )
    return model, reports


def test_a_network_learns_an_easy_task(fitted: tuple[Any, list[EpochReport]]) -> None:
    model, reports = fitted
    held_out = make_feed(seed=9)
    batch = next(iter(held_out.epoch(1)))
    logits = np.asarray(model.predict(batch.inputs, verbose=0)["logits"])
    assert (logits.argmax(axis=1) == batch.genres.argmax(axis=1)).mean() == 1.0
    assert reports[-1].loss < reports[0].loss


def test_logits_are_the_mean_of_the_branches(fitted: tuple[Any, list[EpochReport]]) -> None:
    outputs = fitted[0].predict(next(iter(make_feed(seed=9).epoch(1))).inputs, verbose=0)
    branches = outputs["branches"].reshape(len(outputs["logits"]), 2, 2)
    np.testing.assert_allclose(branches.mean(axis=1), outputs["logits"], atol=1e-5)


def test_each_branch_is_fitted_by_itself(fitted: tuple[Any, list[EpochReport]]) -> None:
    batch = next(iter(make_feed(seed=9).epoch(1)))
    branches = fitted[0].predict(batch.inputs, verbose=0)["branches"].reshape(-1, 2, 2)
    right = branches.argmax(axis=2) == batch.genres.argmax(axis=1)[:, None]
    assert right.mean(axis=0).tolist() == [1.0, 1.0]


def test_a_network_without_descriptors_has_one_branch(tmp_path: Path) -> None:
    use_threads(1)
    shape = replace(SHAPE, descriptors=0)
    model = networks.residual_cnn(n_labels=2, patches=PATCHES, params=shape, seed=3)
    assert set(model.output) == {"logits", "music", "embedding"}
    reports: list[EpochReport] = []
    fit(
        model, make_feed(), replace(FIT, epochs=2), checkpoint=tmp_path, identity="a", on_epoch=reports.append
    )
    assert reports[1].loss < reports[0].loss


def test_progress_counts_every_epoch(fitted: tuple[Any, list[EpochReport]]) -> None:
    reports = fitted[1]
    assert [(r.epoch, r.epochs) for r in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert reports[-1].seconds_left == 0
    assert reports[0].seconds_left > 0


def test_an_interrupted_fit_continues_to_the_same_weights(
    fitted: tuple[Any, list[EpochReport]], tmp_path: Path
) -> None:
    def cancel(report: EpochReport) -> None:
        if report.epoch == 2:
            raise CancelledError

    with pytest.raises(CancelledError):
        fit(make_model(), make_feed(), FIT, checkpoint=tmp_path, identity="a", on_epoch=cancel)
    model = make_model()
    epochs: list[int] = []
    fit(
        model,
        make_feed(),
        FIT,
        checkpoint=tmp_path,
        identity="a",
        on_epoch=lambda report: epochs.append(report.epoch),
    )
    # The second was not reported to its end.
    assert epochs == [2, 3, 4]
    for mine, whole in zip(model.get_weights(), fitted[0].get_weights(), strict=True):
        np.testing.assert_allclose(mine, whole, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("fitted")
def test_a_checkpoint_of_other_settings_is_not_continued(checkpoint: Path) -> None:
    again, other = (
        NetworkFit(make_model(), make_feed(), FIT, checkpoint=checkpoint, identity=identity)
        for identity in ("a", "b")
    )
    assert (again.done, other.done) == (4, 0)
    for mine, theirs in zip(other.model.get_weights(), make_model().get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_same_epoch_gives_the_same_batches() -> None:
    params = FeedParams(batch_size=8)
    sounds = list(examples(3, seed=8).db)
    one, again = (make_feed(params, sounds) for _ in range(2))
    for a, b in zip(one.epoch(3), again.epoch(3), strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.genres, b.genres)
    assert not np.array_equal(next(one.epoch(3)).inputs, next(one.epoch(4)).inputs)


def test_an_epoch_shows_every_track_as_often_as_asked() -> None:
    params = replace(FEED, crops_per_epoch=3, label_smoothing=0.0)
    feed = make_feed(params)
    batches = list(feed.epoch(1))
    assert len(batches) == feed.steps_per_epoch == 16 * 3 // 8
    assert sum(batch.genres.sum(axis=0) for batch in batches).tolist() == [24, 24]


def test_views_of_one_crop_stand_beside_each_other() -> None:
    params = replace(FEED, outlier_share=0.25)
    sounds = list(examples(3, seed=8).db)
    batch = next(make_feed(params, sounds, views=2).epoch(1))
    assert len(batch.inputs) == 2 * (8 + 2)
    # Without channels and masks there is nothing that could tell them apart.
    np.testing.assert_array_equal(batch.inputs[0::2], batch.inputs[1::2])
    assert not np.array_equal(batch.inputs[0], batch.inputs[2])
    np.testing.assert_array_equal(batch.genres[0::2], batch.genres[1::2])
    assert batch.music[:, 0].tolist() == [1.0] * 16 + [0.0] * 4
    degraded = next(make_feed(replace(params, channel_probability=1.0), sounds, views=2).epoch(1))
    assert (np.abs(degraded.inputs[0::2] - degraded.inputs[1::2]).max(axis=(1, 2, 3)) > 0.01).all()


def test_views_with_different_outputs_add_to_the_loss() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6, 4)).astype(np.float32)
    targets = np.repeat(np.eye(2, dtype=np.float32)[[0, 1, 0]], 2, axis=0)

    def loss(views: int, given: FloatArray) -> NDArray[np.float64]:
        return np.asarray(mean_loss(2, views=views, agreement_weight=0.5)(targets, given), dtype=np.float64)

    # Two branches of two genres: each has its cross entropy and its divergence of Jensen and Shannon.
    probabilities = np.exp(logits.reshape(3, 2, 2, 2))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    first, second, mean = probabilities[:, 0], probabilities[:, 1], probabilities.mean(axis=1)
    divergence = 0.5 * (first * np.log(first / mean) + second * np.log(second / mean)).sum(axis=-1).mean(
        axis=1
    )
    entropy = -np.log(probabilities.reshape(6, 2, 2)[np.arange(6), :, targets.argmax(axis=1)]).mean(axis=1)
    np.testing.assert_allclose(loss(1, logits), entropy, rtol=1e-5)
    np.testing.assert_allclose(loss(2, logits), entropy + 0.5 * np.repeat(divergence, 2), rtol=1e-5)
    alike = np.repeat(logits[::2], 2, axis=0)
    np.testing.assert_allclose(loss(2, alike), loss(1, alike), rtol=1e-5)


def test_a_network_learns_from_views(tmp_path: Path) -> None:
    model = make_model()
    reports: list[EpochReport] = []
    fit(
        model,
        make_feed(replace(FEED, batch_size=4), views=2),
        FIT,
        checkpoint=tmp_path,
        identity="a",
        on_epoch=reports.append,
    )
    assert reports[-1].loss < reports[0].loss
    batch = next(iter(make_feed(seed=9).epoch(1)))
    logits = np.asarray(model.predict(batch.inputs, verbose=0)["logits"])
    assert (logits.argmax(axis=1) == batch.genres.argmax(axis=1)).all()


def test_sounds_that_are_not_music_ask_for_no_genre() -> None:
    params = replace(FEED, outlier_share=0.25)
    batch = next(make_feed(params, [examples(1).db[0]]).epoch(1))
    assert batch.inputs.shape == (10, PATCHES.n_mels, PATCHES.n_columns, 1)
    assert batch.music[:, 0].tolist() == [1.0] * 8 + [0.0] * 2
    np.testing.assert_allclose(batch.genres[8:], 0.5)
    np.testing.assert_allclose(batch.genres.sum(axis=1), 1.0, rtol=1e-5)


def test_synthetic_sounds_are_decided_by_their_seed() -> None:
    first, again, other = (
        outliers.synthesise(count=6, seconds=2.0, params=PATCHES, seed=seed) for seed in (1, 1, 2)
    )
    for a, b, c in zip(first, again, other, strict=True):
        assert np.isfinite(a).all()
        assert a.max() - a.min() > 10
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_temperature_undoes_an_exaggeration() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 10))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(10, p=row) for row in p])
    assert calibration.fit_temperature(3 * logits, targets) == pytest.approx(3.0, rel=0.1)


def test_unsure_threshold_keeps_the_promised_accuracy() -> None:
    confidence = np.linspace(0.55, 0.95, 9)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    targets = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0])
    threshold = calibration.fit_unsure_threshold(probabilities, targets, least_accuracy=0.8)
    assert threshold == pytest.approx(confidence[3])
    hopeless = calibration.fit_unsure_threshold(probabilities, np.ones(9, dtype=np.intp), least_accuracy=0.8)
    assert hopeless == pytest.approx(confidence[-1])


def test_music_threshold_gives_way_to_real_music() -> None:
    assert calibration.fit_music_threshold(np.full(200, 0.9), most_lost=0.01) == 0.5
    assert calibration.fit_music_threshold(np.linspace(0.2, 1, 100), most_lost=0.01) == pytest.approx(0.208)
