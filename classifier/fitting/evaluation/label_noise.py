"""Label noise: how probable a clip's label is by a model that was fitted without the clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.fitting.networks.regression import Affine, fit_affine

FloatArray = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.intp]
Groups = Sequence[str] | NDArray[np.str_]

N_FOLDS = 5
PENALTY = 0.1
"""Strong: a model that overfits single clips would fit their wrong labels too."""


def out_of_fold(
    embeddings: FloatArray,
    targets: IntArray,
    groups: Groups | None,
    n_labels: int,
    seed: int = 0,
) -> Float64:
    """Probabilities of every label for every clip, by a model fitted without the clip and its group.

    Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021) starts from such probabilities; here the
    model is a regularised multinomial logistic regression on embeddings. One less the probability of a clip's
    own label is how suspicious the label is.

    Parameters
    ----------
    embeddings
        (n, d), all by one backbone.
    targets
        (n,) index of each clip's label as it is given.
    groups
        (n,) names of artists, contributors or recordings, whose clips are not independent; None where every
        clip is a group of its own. An empty name is no group.
    n_labels
        Labels there are. One that occurs in no other fold gets a probability near zero.
    seed
        Decides the folds.

    Returns
    -------
    (n, n_labels), rows summing to 1. With fewer than two clips, or a single label or group, no model
    can be fitted and all labels are equally probable.

    Raises
    ------
    ValueError
        The shapes do not fit each other, an embedding is not finite, or a target is no label.
    """
    n = len(embeddings)
    if embeddings.ndim != 2 or len(targets) != n or (groups is not None and len(groups) != n):
        raise ValueError(f"{embeddings.shape} embeddings for {len(targets)} targets")
    if n and (not np.isfinite(embeddings).all() or not 0 <= targets.min() <= targets.max() < n_labels):
        raise ValueError("embeddings must be finite and targets must be labels")
    probabilities = np.full((n, n_labels), 1.0 / n_labels)
    folds = grouped_folds(targets, groups, N_FOLDS, seed=seed)
    for fold in np.unique(folds):
        inside = folds == fold
        if not inside.all() and len(np.unique(targets[~inside])) > 1:
            model = fit_plain(embeddings[~inside], targets[~inside], n_labels)
            probabilities[inside] = softmax(model(embeddings[inside]))
    return probabilities


def fit_plain(rows: FloatArray, targets: IntArray, n_labels: int) -> Affine:
    """A regularised model that starts from nothing; every label that occurs counts as much as the others."""
    return fit_affine(
        rows,
        targets,
        shares=balanced_shares(targets, np.ones(len(rows)), n_labels),
        start=Affine(np.zeros((rows.shape[1], n_labels)), _prior(targets, n_labels)),
        penalty=np.full(n_labels, PENALTY),
    )


def balanced_shares(targets: IntArray, weights: FloatArray, n_labels: int) -> Float64:
    """(n,) shares that sum to 1, so that every label that occurs has the same; weights divide them within."""
    totals = np.bincount(targets, weights=weights, minlength=n_labels)
    return np.asarray(weights / totals[targets] / (totals > 0).sum(), dtype=np.float64)


def grouped_folds(targets: IntArray, groups: Groups | None, count: int, *, seed: int) -> IntArray:
    """(n,) number of each clip's fold: groups stay whole, labels and sizes are as even as that allows.

    Groups go one after the other, the largest first, to the fold that has fewest clips of their labels.
    """
    n = len(targets)
    names = [group or f"\0{i}" for i, group in enumerate(groups)] if groups is not None else range(n)
    keys: dict[Any, list[int]] = {}
    for place in np.random.default_rng(seed).permutation(n):
        keys.setdefault(names[place], []).append(int(place))
    held = np.zeros((count, int(targets.max(initial=0)) + 1))
    folds = np.zeros(n, dtype=np.intp)
    for members in sorted(keys.values(), key=len, reverse=True):
        labels = np.bincount(targets[members], minlength=held.shape[1])
        load = held @ labels * 1000 + held.sum(axis=1)
        fold = int(load.argmin())
        held[fold] += labels
        folds[members] = fold
    return folds


def _prior(targets: IntArray, n_labels: int) -> Float64:
    """Biases that say nothing of labels that occur, and that the others are not to be expected."""
    seen = np.bincount(targets, minlength=n_labels) > 0
    return np.where(seen, 0.0, -10.0)
