"""How much each lens counts for one person, learnt from thumbs up and down.

The default order is by the squared distance of the blend. A person's order is by a weighted sum of the
squared distances of all lenses, the weights of a logistic regression of the thumbs on these distances. They
are held non-negative, since nearer is never worse, and are drawn to the default ones (ridge towards a prior
mean), so that few thumbs change little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.lenses import DEFAULT, LENSES

Float64 = NDArray[np.float64]

SCALE: Final = 4.0
"""Weight of the blend before there are thumbs: log odds per unit of squared distance."""
SHRINKAGE: Final = 3.0
"""Strength of the pull to the default weights: precision of the prior."""
# Both were chosen on clips of GTZAN's train and valid parts, as the strongest gain among values by which
# simulated thumbs did no harm, however many there were.
_INTERCEPT_SHRINKAGE: Final = 0.1


def default_weights() -> Float64:
    """The weights that order as the blend does: (n_lenses,) in the order of `LENSES`."""
    return np.array([SCALE if lens == DEFAULT else 0.0 for lens in LENSES])


def fit(squared: Float64, liked: Sequence[bool], *, shrinkage: float = SHRINKAGE) -> Float64:
    """Learn the weights of the lenses from thumbs.

    Parameters
    ----------
    squared
        (n_thumbs, n_lenses) squared distances between each neighbour and what was asked about, 0 to 4, in the
        order of `LENSES`; NaN where a lens does not know both.
    liked
        (n_thumbs,) whether the thumb is up.
    shrinkage
        The larger, the nearer to `default_weights`.

    Returns
    -------
    (n_lenses,) non-negative weights.

    Notes
    -----
    Penalised logistic regression: the mean of the prior is the default, as in Chapelle and Li, "An Empirical
    Evaluation of Thompson Sampling", NIPS 2011, algorithm 3. The bounds are kept by L-BFGS-B.
    """
    prior = default_weights()
    if not len(liked):
        return prior
    from scipy.optimize import minimize
    from scipy.special import expit

    centred = np.nan_to_num(squared - _typical(squared))
    signs = np.where(np.asarray(liked, bool), 1.0, -1.0)

    def loss(values: Float64) -> tuple[float, Float64]:
        intercept, weights = values[0], values[1:]
        margins = signs * (intercept - centred @ weights)
        missed = -signs * expit(-margins)
        apart = weights - prior
        cost = np.logaddexp(0, -margins).sum() + shrinkage * (apart @ apart) / 2
        slope = np.concatenate([[missed.sum()], -centred.T @ missed + shrinkage * apart])
        cost += _INTERCEPT_SHRINKAGE * intercept**2 / 2
        slope[0] += _INTERCEPT_SHRINKAGE * intercept
        return float(cost), slope

    bounds = [(None, None), *[(0.0, None)] * len(prior)]
    found = minimize(loss, np.concatenate([[0.0], prior]), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.maximum(np.asarray(found.x[1:], np.float64), 0.0)


def scores(squared: Float64, weights: Float64) -> Float64:
    """Weighted sums by which neighbours are ordered, the smallest first: (n,) of (n, n_lenses) distances.

    A lens that does not know a neighbour counts as it does for the typical one of these.
    """
    filled = np.where(np.isnan(squared), _typical(squared), squared)
    return np.asarray(np.nan_to_num(filled) @ weights, np.float64)


def _typical(squared: Float64) -> Float64:
    """Mean of each column over what is known; NaN where nothing is."""
    known = ~np.isnan(squared)
    sums = np.where(known, squared, 0.0).sum(axis=0)
    means = np.full(squared.shape[1], np.nan)
    np.divide(sums, known.sum(axis=0), out=means, where=known.any(axis=0))
    return means
