"""Label health on embeddings whose labels are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.fitting.evaluation.label_noise import grouped_folds, out_of_fold
from classifier.fitting.networks.regression import Affine, fit_affine
from classifier.releases import current_release, read_evaluation_features


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Share of pairs in which the positive one scores higher; ties count half (Mann and Whitney)."""
    above = scores[positive][:, None] - scores[~positive][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_of_clips_that_no_network_learnt_come_first(seed: int) -> None:
    stored = read_evaluation_features(current_release())
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(stored.targets))[:200]
    labels = stored.targets[chosen].copy()
    flipped = np.arange(200) < 40
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, 40)) % 10
    probabilities = out_of_fold(stored.embeddings[chosen], labels, None, 10, seed)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert area_under_curve(1 - probabilities[np.arange(200), labels], flipped) >= 0.8


def test_a_group_learns_nothing_of_itself() -> None:
    # Each group has its own place and its own random label: only who saw the group could know.
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    rows = rng.normal(0, 4, (40, 100))[groups] + rng.normal(0, 0.1, (200, 100))
    targets = rng.integers(0, 2, 40)[groups]
    apart = out_of_fold(rows, targets, [f"group {g}" for g in groups], 2)
    together = out_of_fold(rows, targets, None, 2)
    own = np.arange(200), targets
    assert together[own].mean() > 0.75
    assert apart[own].mean() < 0.6


def test_folds_are_even_and_keep_groups_whole() -> None:
    targets = np.arange(100) % 4
    names = [f"artist {i // 8}" if i < 40 else "" for i in range(100)]
    folds = grouped_folds(targets, names, 5, seed=0)
    for artist in range(5):
        assert len(set(folds[artist * 8 : artist * 8 + 8])) == 1
    assert np.bincount(folds).tolist() == [20] * 5
    for fold in range(5):
        assert np.bincount(targets[folds == fold], minlength=4).max() <= 6
    np.testing.assert_array_equal(folds, grouped_folds(targets, names, 5, seed=0))


def test_where_nothing_can_be_learnt_elsewhere_every_label_is_as_likely() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 3))
    one_group = out_of_fold(rows, np.array([0, 1, 0, 1, 0, 1]), ["same"] * 6, 2)
    np.testing.assert_allclose(one_group, 0.5)
    np.testing.assert_allclose(out_of_fold(rows, np.zeros(6, np.intp), None, 3), 1 / 3)
    assert out_of_fold(rows[:0], np.zeros(0, np.intp), None, 3).shape == (0, 3)


def test_a_label_of_a_single_clip_is_never_expected() -> None:
    rng = np.random.default_rng(2)
    targets = np.array([0] * 20 + [1] * 20 + [2])
    rows = rng.normal(size=(41, 4)) + 5 * targets[:, None]
    probabilities = out_of_fold(rows, targets, None, 3)
    assert probabilities[40, 2] < 0.01
    assert (probabilities[:40].argmax(axis=1) == targets[:40]).all()


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        (np.full((4, 2), np.nan), np.zeros(4, np.intp)),
        (np.zeros((4, 2)), np.zeros(3, np.intp)),
        (np.zeros((4, 2)), np.full(4, 2)),
        (np.zeros(4), np.zeros(4, np.intp)),
    ],
)
def test_what_makes_no_sense_is_refused(rows: NDArray[np.float64], targets: NDArray[np.intp]) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        out_of_fold(rows, targets, None, 2)


def test_a_strong_pull_keeps_what_is_known_and_none_finds_the_maximum_of_the_likelihood() -> None:
    # Two labels, no information in the rows: the biases give the shares of the labels.
    rng = np.random.default_rng(3)
    rows, targets = rng.normal(size=(1000, 1)) * 1e-3, (np.arange(1000) % 4 == 0).astype(np.intp)
    shares, known = np.full(1000, 1e-3), Affine(np.zeros((1, 2)), np.zeros(2))
    free = fit_affine(rows, targets, shares=shares, start=known, penalty=np.full(2, 1e-4))
    logits = free(np.zeros((1, 1)))[0]
    assert logits[1] - logits[0] == pytest.approx(np.log(1 / 3), abs=0.02)
    kept = fit_affine(rows, targets, shares=shares, start=known, penalty=np.full(2, 1e5))
    np.testing.assert_allclose(kept.biases, 0.0, atol=1e-3)
    np.testing.assert_allclose(kept.weights * 1e-3, 0.0, atol=1e-3)
