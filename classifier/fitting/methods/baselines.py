"""Fitting the methods that need no deep network: nearest neighbours and the network on summary features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.activations import softmax
from classifier.core.baseline_models import N_FEATURES, N_MFCC, Neighbours, SummaryMlp
from classifier.core.baselines import gaussians, symmetric_kl
from classifier.core.dataset import DatasetError, Examples
from classifier.core.patches import PatchParams
from classifier.fitting.evaluation.calibration import log_loss
from classifier.fitting.loop.reports import EpochClock, OnEpoch
from classifier.fitting.loop.task import ShouldStop

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

K = 5
HIDDEN = (128, 64)
ALPHA = 1e-2
"""The penalty on the weights; as in `classifier.core.baselines.FeatureMlp`."""
_BATCH = 32
_FAMILIAR = 0.99
"""Share of the training clips that must count as music."""
_ROOM = 1.5


def neighbours(
    train: Examples, *, n_labels: int, params: PatchParams, should_stop: ShouldStop
) -> Neighbours | None:
    """Store one Gaussian per clip; None where it was stopped.

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
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
) -> SummaryMlp | None:
    """Fit the network on the clips that have summary features; None where it was stopped.

    It takes seconds, so an interrupted call begins again.

    Raises
    ------
    DatasetError
        Fewer than two clips, or clips of one label only, have summary features.
    """
    rows, targets = _summarised(train)
    if len(np.unique(targets)) < 2:
        raise DatasetError("Too few clips have summary features: those whose sound is not here have none.")
    prepared = _standardiser(rows)
    held_out, held_targets = _summarised(valid)
    network = _fit_mlp(
        (prepared.standardise(rows), targets),
        (prepared.standardise(held_out), held_targets),
        n_labels=n_labels,
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )
    return None if network is None else _with_layers(prepared, network, n_labels)


def _standardiser(rows: FloatArray) -> SummaryMlp:
    """A network without layers, which standardises features as (n, 57) `rows` need it."""
    scale = rows.std(axis=0)
    made = SummaryMlp(
        centre=rows.mean(axis=0),
        scale=np.where(scale > 1e-9, scale, 1.0).astype(np.float32),
        weights=(),
        biases=(),
        limit=1.0,
    )
    spread = np.square(made.standardise(rows)).mean(axis=1)
    return replace(made, limit=_ROOM * float(np.quantile(spread, _FAMILIAR)))


def _fit_mlp(
    train: tuple[FloatArray, IntArray],
    valid: tuple[FloatArray, IntArray],
    *,
    n_labels: int,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
) -> Any | None:
    """Fit scikit-learn's network on standardised features and targets; None where it was stopped."""
    from sklearn.neural_network import MLPClassifier

    batch_size = min(_BATCH, len(train[0]))
    network = MLPClassifier(HIDDEN, alpha=ALPHA, batch_size=batch_size, random_state=seed)
    clock = EpochClock(epochs)
    for epoch in range(1, epochs + 1):
        if should_stop():
            return None
        clock.begin()
        network.partial_fit(*train, classes=np.arange(n_labels))
        validated = _measured(network, *valid) if len(valid[0]) else None
        accuracy = _measured(network, *train)[1]
        on_epoch(clock.report(epoch, (float(network.loss_), accuracy), validated))
    return network


def _with_layers(prepared: SummaryMlp, network: Any, n_labels: int) -> SummaryMlp:
    """The layers of scikit-learn's network in the platform's."""
    weights, biases = list(network.coefs_), list(network.intercepts_)
    if n_labels == 2:
        # scikit-learn has one output for two labels: the logit of the second.
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([[0.0], biases[-1]])
    return replace(
        prepared,
        weights=tuple(np.asarray(w, dtype=np.float32) for w in weights),
        biases=tuple(np.asarray(b, dtype=np.float32) for b in biases),
    )


def _summarised(examples: Examples) -> tuple[FloatArray, IntArray]:
    if examples.summary is None:
        return np.zeros((0, N_FEATURES), np.float32), np.zeros(0, np.intp)
    there = np.isfinite(examples.summary).all(axis=1)
    return examples.summary[there].astype(np.float32), examples.targets[there]


def _measured(network: Any, standard: FloatArray, targets: IntArray) -> tuple[float, float]:
    probabilities = softmax(np.log(np.maximum(network.predict_proba(standard), 1e-12)))
    return log_loss(probabilities, targets), float((probabilities.argmax(axis=1) == targets).mean())
