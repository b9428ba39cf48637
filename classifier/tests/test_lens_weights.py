"""Weights of the lenses learnt from thumbs: from nothing the default, from few little, never negative."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.core.lens_weights import default_weights, fit, scores
from classifier.core.lenses import LENSES

BLEND, TIMBRE = LENSES.index("blend"), LENSES.index("timbre")


def thumbs(count: int, *, by: int, seed: int = 0) -> tuple[np.ndarray, list[bool]]:
    """Distances at random, and thumbs up where those of one lens are small."""
    squared = np.random.default_rng(seed).uniform(0.0, 2.0, size=(count, len(LENSES)))
    return squared, list(squared[:, by] < 1.0)


def test_without_thumbs_the_order_is_that_of_the_blend() -> None:
    weights = fit(np.empty((0, len(LENSES))), [])
    assert weights == pytest.approx(default_weights())
    squared = np.random.default_rng(1).uniform(size=(9, len(LENSES)))
    assert np.argsort(scores(squared, weights)).tolist() == np.argsort(squared[:, BLEND]).tolist()


def test_many_thumbs_teach_the_lens_that_a_person_goes_by_and_few_change_little() -> None:
    shares = []
    for count in (1, 5, 50, 400):
        weights = fit(*thumbs(count, by=TIMBRE))
        assert (weights >= 0).all()
        shares.append(weights[TIMBRE] / weights.sum())
    assert shares == sorted(shares)
    assert shares[0] < 0.15
    assert shares[-1] > 0.6
    unseen, liked = thumbs(200, by=TIMBRE, seed=5)
    found = scores(unseen, fit(*thumbs(400, by=TIMBRE)))
    assert np.mean((found < np.median(found)) == np.array(liked)) > 0.9


def test_thumbs_of_one_kind_and_thumbs_against_all_lenses_leave_weights_that_order() -> None:
    squared, liked = thumbs(30, by=BLEND)
    for opinion in ([True] * 30, [False] * 30, [not each for each in liked]):
        weights = fit(squared, opinion)
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()


def test_a_lens_that_does_not_know_a_track_has_no_part() -> None:
    squared, liked = thumbs(60, by=BLEND)
    lacking = squared.copy()
    lacking[:, TIMBRE] = np.nan
    lacking[0] = np.nan
    weights = fit(lacking, liked)
    assert weights[TIMBRE] == pytest.approx(0.0, abs=1e-6)
    found = scores(lacking, weights)
    assert np.isfinite(found).all()
    assert found.min() < found[0] < found.max()
    assert scores(np.full((3, len(LENSES)), np.nan), weights).tolist() == [0, 0, 0]
