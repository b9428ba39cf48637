"""A new last layer for a network that stays as it is, from stored embeddings.

The embeddings that a version stores of its own training clips are replayed with those of the new ones, so
that nothing is forgotten (Rebuffi et al., iCaRL, CVPR 2017, keep clips; here embeddings are enough).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.artifact import Calibration
from classifier.core.metrics import evaluate
from classifier.fitting.evaluation import calibration
from classifier.fitting.evaluation.label_noise import Groups, balanced_shares, grouped_folds
from classifier.fitting.loop.parts import OnShare, untold
from classifier.fitting.networks.regression import Affine, fit_affine
from classifier.releases import Replay

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

NEW_CLIP: Final = 3.0
"""Weight of a new clip, relative to a clip that the network itself was fitted on: the network separates those
so well that they would dominate the fit."""
PULL: Final = 0.5
NEW_GENRE_PULL: Final = 0.01
_FOLDS = 4
# Number of clips that a release's calibration is assumed to be fitted on, where its metadata do not say.
_USUAL_VALIDATION = 200


@dataclass(frozen=True, slots=True, eq=False)
class HeadTrainingSet:
    """What a head is fitted on.

    Attributes
    ----------
    rows, targets, weights
        (n, n_embedding) embeddings, the place of each one's label, and how much it counts.
    is_new
        (n,) whether it is of a new clip.
    """

    rows: FloatArray
    targets: IntArray
    weights: NDArray[np.float64]
    is_new: NDArray[np.bool_]

    def without(self, left_out: NDArray[np.bool_]) -> HeadTrainingSet:
        """The rows that are not left out."""
        kept = ~left_out
        return HeadTrainingSet(self.rows[kept], self.targets[kept], self.weights[kept], self.is_new[kept])


def head_training_set(remembered: Replay, embeddings: FloatArray, targets: IntArray) -> HeadTrainingSet:
    """Join remembered and new clips; the variants of one remembered clip share its weight."""
    variants = np.bincount(remembered.clip)[remembered.clip] if len(remembered.clip) else np.zeros(0)
    return HeadTrainingSet(
        rows=np.vstack([remembered.embeddings, embeddings]).astype(np.float32),
        targets=np.concatenate([remembered.targets, targets]).astype(np.intp),
        weights=np.concatenate([1.0 / variants, np.full(len(embeddings), NEW_CLIP)]),
        is_new=np.arange(len(remembered.clip) + len(embeddings)) >= len(remembered.clip),
    )


def fit_head(training: HeadTrainingSet, present: Affine, n_labels: int) -> Affine:
    """Fit the last layer for `n_labels`, of which the first ones are those of the present layer.

    Every genre counts as much as every other, whatever its number of clips, so that what people happen to
    contribute does not become the prior. Old genres are pulled towards the present layer, the less the more
    new clips there are; new ones start from the mean of the others.
    """
    known = len(present.biases)
    start = Affine(
        np.hstack([present.weights, np.repeat(present.weights.mean(1, keepdims=True), n_labels - known, 1)]),
        np.concatenate([present.biases, np.full(n_labels - known, present.biases.mean())]),
    )
    replayed = training.weights[~training.is_new].sum()
    penalty = np.full(n_labels, PULL * replayed / max(training.weights.sum(), 1e-9))
    penalty[known:] = NEW_GENRE_PULL
    shares = balanced_shares(training.targets, training.weights, n_labels)
    return fit_affine(training.rows, training.targets, shares=shares, start=start, penalty=penalty)


def calibrate_head(
    training: HeadTrainingSet,
    present: Affine,
    head: Affine,
    *,
    groups: Groups | None,
    metadata: Mapping[str, Any],
    labels: Sequence[str],
    seed: int,
    on_share: OnShare = untold,
) -> tuple[Calibration, dict[str, Any] | None]:
    """Calibration of a new head, and its figures on new clips, out of fold.

    Remembered clips are of no use for this: the network was fitted on them. The calibration is that of the
    version, scaled by how much larger the logits have become. New clips, out of fold and weighted by their
    number, can make it more cautious, never less: what one person contributes is often easier to classify
    than music at large.

    Parameters
    ----------
    on_share
        Is told after each fold, which is a fit, how many of them are done.

    Returns
    -------
    calibration
    figures
        ``n``, ``accuracy`` and ``calibration_error``; None where there are too few new clips.
    """
    before = Calibration(**metadata["calibration"])
    known = len(present.biases)
    larger = _spread(head(training.rows)[:, :known]) / _spread(present(training.rows))
    temperature = float(np.clip(before.temperature * larger, 0.05, 50.0))
    new = np.flatnonzero(training.is_new)
    targets = training.targets[new]
    if len(new) < calibration.LEAST_TO_CALIBRATE:
        return replace(before, temperature=temperature), None
    logits = _out_of_fold(training, present, len(labels), groups=groups, seed=seed, on_share=on_share)
    behind = (metadata.get("validation") or {}).get("n", _USUAL_VALIDATION)
    share = len(new) / (len(new) + behind)
    own = calibration.fit_temperature(logits, targets)
    temperature = float(np.exp((1 - share) * np.log(temperature) + share * np.log(max(own, temperature))))
    probabilities = softmax(logits / temperature)
    threshold = calibration.fit_unsure_threshold(probabilities, targets)
    evaluation = evaluate(targets, probabilities, labels)
    return (
        Calibration(
            temperature=temperature,
            unsure_below=(1 - share) * before.unsure_below + share * max(threshold, before.unsure_below),
            music_threshold=before.music_threshold,
        ),
        {
            "n": evaluation.n,
            "accuracy": asdict(evaluation.accuracy),
            "calibration_error": evaluation.calibration_error,
        },
    )


def _out_of_fold(
    training: HeadTrainingSet,
    present: Affine,
    n_labels: int,
    *,
    groups: Groups | None,
    seed: int,
    on_share: OnShare,
) -> NDArray[np.float64]:
    """Logits of the new clips, each by a head that was fitted without its fold."""
    new = np.flatnonzero(training.is_new)
    logits = np.zeros((len(new), n_labels))
    folds = grouped_folds(training.targets[new], groups, _FOLDS, seed=seed)
    numbers = np.unique(folds)
    for done, fold in enumerate(numbers):
        inside = folds == fold
        left_out = np.zeros(len(training.rows), dtype=np.bool_)
        left_out[new[inside]] = True
        without = fit_head(training.without(left_out), present, n_labels)
        logits[inside] = without(training.rows[new[inside]])
        on_share((done + 1) / len(numbers))
    return logits


def _spread(logits: NDArray[np.float64]) -> float:
    return max(float(logits.std(axis=1).mean()), 1e-6)
