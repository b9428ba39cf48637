"""Multinomial logistic regression with a penalty on the distance from given weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.intp]

_MOST_STEPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Logits as an affine function: (d, n_labels) weights and (n_labels,) biases."""

    weights: Float64
    biases: Float64

    def __call__(self, rows: FloatArray) -> Float64:
        """(n, n_labels) logits of (n, d) rows."""
        return np.asarray(rows @ self.weights + self.biases, dtype=np.float64)


def fit_affine(
    rows: FloatArray,
    targets: IntArray,
    *,
    shares: FloatArray,
    start: Affine,
    penalty: FloatArray,
) -> Affine:
    """Minimise the mean log loss plus a pull towards given weights.

    The loss is ``sum(shares * log loss) + sum(penalty * |V - V0|^2) / 2``, where ``V`` are the weights for
    rows scaled to unit deviation, so that the pull does not depend on how large the rows are. Both terms are
    convex: there is one answer, found by L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989).

    Parameters
    ----------
    rows
        (n, d)
    targets
        (n,) index of each row's label.
    shares
        (n,) how much each row counts; they sum to 1.
    start
        What the answer is pulled to.
    penalty
        (n_labels,) strength of the pull for each label; biases are pulled a hundredth as much.
    """
    from scipy.optimize import minimize

    centre = rows.mean(axis=0, dtype=np.float64)
    scale = np.maximum(rows.std(axis=0, dtype=np.float64), 1e-6)
    standard = np.hstack([(rows - centre) / scale, np.ones((len(rows), 1))])
    known = np.vstack([start.weights * scale[:, None], (start.biases + centre @ start.weights)[None]])
    pull = np.vstack([np.tile(penalty, (rows.shape[1], 1)), 0.01 * np.asarray(penalty)[None]])
    wanted = np.zeros((len(rows), known.shape[1]))
    wanted[np.arange(len(rows)), targets] = 1.0

    def loss(flat: Float64) -> tuple[float, Float64]:
        moved = flat.reshape(known.shape)
        logits = standard @ moved
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        total = odds.sum(axis=1, keepdims=True)
        log_loss = np.log(total[:, 0]) - logits[np.arange(len(rows)), targets]
        away = moved - known
        gradient = standard.T @ ((odds / total - wanted) * np.asarray(shares)[:, None]) + pull * away
        return float(shares @ log_loss + 0.5 * (pull * away * away).sum()), gradient.ravel()

    found = minimize(loss, known.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
    moved = found.x.reshape(known.shape)
    weights = moved[:-1] / scale[:, None]
    return Affine(weights=weights, biases=moved[-1] - centre @ weights)
