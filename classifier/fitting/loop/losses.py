"""Losses and metric of networks with several branches, whose logits are side by side in one output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def mean_loss(n_labels: int, *, views: int, agreement_weight: float) -> Callable[[Any, Any], Any]:
    """Cross entropy of logits, averaged over the branches; 0 for targets of zeros, which have no label.

    With several views of each crop, a consistency term is added: the mean divergence of each view's
    probabilities from their mean, which for two views is the Jensen-Shannon divergence (as in AugMix:
    Hendrycks et al., ICLR 2020).

    Parameters
    ----------
    views
        Successive rows of a batch that are views of one crop.
    agreement_weight
        Weight of the consistency term.
    """
    from keras import ops

    def loss(targets: Any, logits: Any) -> Any:
        count = logits.shape[-1] // n_labels
        each = ops.log_softmax(ops.reshape(logits, (-1, count, n_labels)))
        # Written out: TensorFlow's own gradient is that of targets that sum to 1, which zeros do not.
        entropy = -ops.mean(ops.sum(ops.expand_dims(targets, 1) * each, axis=-1), axis=1)
        if views == 1:
            return entropy
        log_p = ops.reshape(each, (-1, views, count, n_labels))
        mean = ops.logsumexp(log_p, axis=1, keepdims=True) - math.log(views)
        divergence = ops.mean(ops.sum(ops.exp(log_p) * (log_p - mean), axis=-1), axis=(1, 2))
        return entropy + agreement_weight * ops.repeat(divergence, views)

    return loss


def tag_loss(n_targets: int) -> Callable[[Any, Any], Any]:
    """Mean squared error of predicted outputs of the tagger, averaged over the branches.

    Targets of NaN count as met: a batch in which few are known has a small loss.
    """
    from keras import ops

    def loss(targets: Any, predicted: Any) -> Any:
        count = predicted.shape[-1] // n_targets
        each = ops.reshape(predicted, (-1, count, n_targets))
        expected = ops.expand_dims(targets, 1)
        # Where a target is unknown it is the prediction itself: no error, and no gradient of NaN.
        error = ops.square(ops.where(ops.isnan(expected), each, expected) - each)
        return ops.mean(error, axis=(1, 2))

    return loss


def mean_accuracy(n_labels: int) -> Callable[[Any, Any], Any]:
    """Accuracy of the mean of the branches' logits."""
    from keras import ops

    def accuracy(targets: Any, logits: Any) -> Any:
        mean = ops.mean(ops.reshape(logits, (-1, logits.shape[-1] // n_labels, n_labels)), axis=1)
        return ops.equal(ops.argmax(mean, axis=-1), ops.argmax(targets, axis=-1))

    return accuracy
