"""Loss and metric of networks with several branches, whose logits are side by side in one output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def mean_loss(n_labels: int, *, views: int, agreement_weight: float) -> Callable[[Any, Any], Any]:
    """Cross entropy of logits, averaged over the branches.

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
        each = ops.reshape(logits, (-1, count, n_labels))
        expected = ops.repeat(ops.reshape(targets, (-1, 1, n_labels)), count, axis=1)
        entropy = ops.mean(ops.categorical_crossentropy(expected, each, from_logits=True), axis=1)
        if views == 1:
            return entropy
        log_p = ops.log_softmax(ops.reshape(logits, (-1, views, count, n_labels)))
        mean = ops.logsumexp(log_p, axis=1, keepdims=True) - math.log(views)
        divergence = ops.mean(ops.sum(ops.exp(log_p) * (log_p - mean), axis=-1), axis=(1, 2))
        return entropy + agreement_weight * ops.repeat(divergence, views)

    return loss


def mean_accuracy(n_labels: int) -> Callable[[Any, Any], Any]:
    """Accuracy of the mean of the branches' logits."""
    from keras import ops

    def accuracy(targets: Any, logits: Any) -> Any:
        mean = ops.mean(ops.reshape(logits, (-1, logits.shape[-1] // n_labels, n_labels)), axis=1)
        return ops.equal(ops.argmax(mean, axis=-1), ops.argmax(targets, axis=-1))

    return accuracy
