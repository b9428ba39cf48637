"""The methods people compare with, on sounds whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import baselines, dataset
from classifier.core.baselines import FeatureMlp, GaussianKnn, Method, Sounds, StatisticsSvm
from classifier.core.dataset import DatasetError, Examples
from classifier.core.summary import COLUMNS


def sounds(n: int, *, seed: int = 0, columns: int = 70) -> Sounds:
    """Low, middle and high sounds by turns."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    bands = np.arange(128)[None, :, None]
    peak = (20 + 40 * targets)[:, None, None]
    db = -0.02 * (bands - peak) ** 2 + rng.normal(0, 4, (n, 128, columns)) - 20
    return Sounds(
        names=[f"clip{i}" for i in range(n)],
        examples=Examples(db=list(np.maximum(db, -80).astype(np.float32)), targets=targets.astype(np.intp)),
        n_labels=4,
    )


def columns(given: Sounds) -> NDArray[np.floating]:
    return np.stack([baselines.column_features(db) for db in given.examples.db])


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        GaussianKnn(k=3),
        StatisticsSvm(columns=32, hop=32),
        FeatureMlp(features=columns, n_features=48, hidden=(16,), epochs=150),
    ],
    ids=lambda method: type(method).__name__,
)
def test_an_easy_task_is_learnt_and_answered_in_probabilities(method: Method) -> None:
    method.fit(sounds(24), seed=0)
    predicted = sounds(9, seed=1)
    probabilities = method.predict_proba(predicted)
    assert probabilities.shape == (9, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)
    assert (probabilities.argmax(axis=1) == predicted.examples.targets).all()
    # The fourth genre was never shown.
    assert (probabilities[:, 3] < probabilities.max(axis=1)).all()


def test_the_seed_decides_the_mlp() -> None:
    def answer(seed: int) -> NDArray[np.floating]:
        method = FeatureMlp(features=columns, n_features=48, hidden=(8,), epochs=3)
        method.fit(sounds(12), seed=seed)
        return method.predict_proba(sounds(3, seed=1))

    np.testing.assert_array_equal(answer(1), answer(1))
    assert not np.array_equal(answer(1), answer(2))


def test_divergence_of_all_pairs_is_that_of_each() -> None:
    one, other = (baselines.gaussians(sounds(n, seed=n).examples.db, 5) for n in (4, 3))
    every = baselines.symmetric_kl(one, other)
    assert every.shape == (4, 3)
    for i in range(4):
        for j in range(3):
            difference = one.mean[i] - other.mean[j]
            expected = 0.0
            for p, q in (
                (one.covariance[i], other.covariance[j]),
                (other.covariance[j], one.covariance[i]),
            ):
                # KL of two Gaussians (Kullback, 1959), with the determinants that cancel in the sum.
                inverse = np.linalg.inv(q)
                expected += 0.5 * (
                    np.trace(inverse @ p)
                    + difference @ inverse @ difference
                    - 5
                    + np.log(np.linalg.det(q) / np.linalg.det(p))
                )
            assert every[i, j] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(np.diag(baselines.symmetric_kl(one, one)), 0.0, atol=1e-6)


def test_a_steady_sound_has_a_distance_too() -> None:
    still = baselines.gaussians([np.full((128, 20), -30.0), np.full((128, 20), -10.0)], 13)
    distances = baselines.symmetric_kl(still, still)
    assert np.isfinite(distances).all()
    assert distances[0, 1] > 1


def test_the_majority_wins_and_the_nearest_decides_between_equals() -> None:
    distances = np.array([[1.0, 2.0, 3.0, 4.0]])
    majority = baselines.vote(distances, np.array([0, 1, 1, 0]), k=3, n_labels=3)
    assert majority.argmax() == 1
    tie = baselines.vote(distances, np.array([1, 0, 0, 1]), k=4, n_labels=3)
    assert tie.argmax() == 1
    assert tie[0, 2] > 0
    assert tie.sum() == pytest.approx(1.0)


def test_band_statistics_do_not_follow_the_gain() -> None:
    db = sounds(1).examples.db[0]
    np.testing.assert_allclose(
        baselines.band_statistics(db), baselines.band_statistics(db + 12), rtol=1e-4, atol=1e-4
    )


def test_column_features_of_one_tone_lie_at_its_frequency() -> None:
    db = np.full((128, 20), -80.0)
    db[60] = 0.0
    features = baselines.column_features(db)
    assert features.shape == (48,)
    centroid, bandwidth, rolloff = features[1:4]
    assert centroid == pytest.approx(rolloff, rel=0.02)
    assert bandwidth < 200
    np.testing.assert_allclose(features[24:], 0.0, atol=1e-6)


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"features_30_sec\.csv cannot be read"):
        baselines.read_features(tmp_path)
    (tmp_path / baselines.FEATURES_FILE).write_text("filename,tempo\na.wav,120\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        baselines.read_features(tmp_path)
    header = ",".join(("filename", *COLUMNS))
    (tmp_path / baselines.FEATURES_FILE).write_text(f"{header}\na.wav{',x' * len(COLUMNS)}\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        baselines.read_features(tmp_path)


@pytest.mark.slow
def test_the_real_table_holds_57_features_of_every_clip(gtzan: Path) -> None:
    table = baselines.read_features(gtzan)
    assert {clip.name for clip in dataset.load(gtzan).clips} <= table.keys()
    assert {row.shape for row in table.values()} == {(57,)}


@pytest.mark.slow
def test_neighbours_on_real_clips_are_as_good_as_known(gtzan: Path) -> None:
    real = dataset.load(gtzan)
    examples = real.examples(range(len(real.clips)))
    known = baselines.gaussians(examples.db, 13)
    distances = baselines.symmetric_kl(known, known)
    np.fill_diagonal(distances, np.inf)
    right = baselines.vote(distances, examples.targets, k=5, n_labels=10).argmax(axis=1) == examples.targets
    # 72 % is known for all frames; a third of the columns costs about a point.
    assert right.mean() == pytest.approx(0.715, abs=0.02)
