"""Fitting the methods that need no deep network: nearest neighbours and the network on summary features."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.baseline_models import N_FEATURES, N_MFCC, Neighbours, SummaryMlp
from classifier.core.baselines import gaussians, symmetric_kl
from classifier.core.dataset import DatasetError, Examples
from classifier.core.inference import softmax
from classifier.core.patches import PatchParams
from classifier.fitting.evaluation.calibration import log_loss
from classifier.fitting.loop.epochs import EpochReport

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

K = 5
HIDDEN = (128, 64)
ALPHA = 1e-2
"""The penalty on the weights; as in `classifier.core.baselines.FeatureMlp`."""
_BATCH = 32
_FAMILIAR = 0.99
"""Share of what was learnt that must count as music."""
_ROOM = 1.5


def neighbours(
    train: Examples, *, n_labels: int, params: PatchParams, should_stop: Callable[[], bool]
) -> Neighbours | None:
    """Remember one Gaussian per clip; None where it was stopped.

    Raises
    ------
    DatasetError
        There are fewer than two clips.
    """
    if len(train) < 2:
        raise DatasetError("Nearest neighbours need at least two clips.")
    whole: list[FloatArray] = []
    for db in train.db:
        if should_stop():
            return None
        inputs = patches.cut(db, params).inputs * np.float32(params.ceiling_db)
        whole.append(inputs.transpose(1, 0, 2).reshape(inputs.shape[1], -1))
    known = gaussians(whole, N_MFCC)
    apart = symmetric_kl(known, known)
    np.fill_diagonal(apart, np.inf)
    return Neighbours(
        known=known,
        targets=train.targets,
        k=min(K, len(train)),
        # A patch is further from everything than a whole clip is.
        limit=2 * _ROOM * float(np.quantile(apart.min(axis=1), _FAMILIAR)),
        n_labels=n_labels,
        decibels=params.ceiling_db,
    )


def summary_mlp(
    train: Examples,
    valid: Examples,
    *,
    n_labels: int,
    epochs: int,
    seed: int,
    on_epoch: Callable[[EpochReport], None],
    should_stop: Callable[[], bool],
) -> SummaryMlp | None:
    """Fit the network on the clips that have summary features; None where it was stopped.

    It takes seconds, so an interrupted call simply begins again.

    Raises
    ------
    DatasetError
        Fewer than two clips, or clips of one label only, have summary features.
    """
    from sklearn.neural_network import MLPClassifier

    rows, targets = _summarised(train)
    if len(np.unique(targets)) < 2:
        raise DatasetError("Too few clips have summary features: those whose sound is not here have none.")
    scale = rows.std(axis=0)
    made = SummaryMlp(
        centre=rows.mean(axis=0),
        scale=np.where(scale > 1e-9, scale, 1.0).astype(np.float32),
        weights=(),
        biases=(),
        limit=1.0,
    )
    standard = made.standardise(rows)
    limit = _ROOM * float(np.quantile(np.square(standard).mean(axis=1), _FAMILIAR))
    held_out, held_targets = _summarised(valid)
    network = MLPClassifier(HIDDEN, alpha=ALPHA, batch_size=min(_BATCH, len(rows)), random_state=seed)
    classes = np.arange(n_labels)
    taken: list[float] = []
    for epoch in range(1, epochs + 1):
        if should_stop():
            return None
        began = time.monotonic()
        network.partial_fit(standard, targets, classes=classes)
        val_loss, val_accuracy = (
            _measured(network, made.standardise(held_out), held_targets) if len(held_out) else (None, None)
        )
        taken.append(time.monotonic() - began)
        on_epoch(
            EpochReport(
                epoch,
                epochs,
                float(network.loss_),
                taken[-1],
                float(np.median(taken[-5:])) * (epochs - epoch),
                _measured(network, standard, targets)[1],
                val_loss,
                val_accuracy,
            )
        )
    weights, biases = list(network.coefs_), list(network.intercepts_)
    if n_labels == 2:
        # scikit-learn has one output for two labels: the logit of the second.
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([[0.0], biases[-1]])
    return SummaryMlp(
        centre=made.centre,
        scale=made.scale,
        weights=tuple(np.asarray(w, dtype=np.float32) for w in weights),
        biases=tuple(np.asarray(b, dtype=np.float32) for b in biases),
        limit=limit,
    )


def _summarised(examples: Examples) -> tuple[FloatArray, IntArray]:
    if examples.summary is None:
        return np.zeros((0, N_FEATURES), np.float32), np.zeros(0, np.intp)
    there = np.isfinite(examples.summary).all(axis=1)
    return examples.summary[there].astype(np.float32), examples.targets[there]


def _measured(network: Any, standard: FloatArray, targets: IntArray) -> tuple[float, float]:
    probabilities = softmax(np.log(np.maximum(network.predict_proba(standard), 1e-12)))
    return log_loss(probabilities, targets), float((probabilities.argmax(axis=1) == targets).mean())
