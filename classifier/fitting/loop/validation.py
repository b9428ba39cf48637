"""Clips that are not trained on, to follow a fit by."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.activations import softmax
from classifier.core.dataset import Examples
from classifier.core.patches import PatchParams
from classifier.fitting.evaluation.calibration import log_loss

_ROWS = 32


class Validation:
    """The middle patch of each of some clips.

    Parameters
    ----------
    examples
        At least one clip.
    """

    def __init__(self, examples: Examples, params: PatchParams) -> None:
        cuts = [patches.cut(db, params).inputs for db in examples.db]
        self._inputs = np.stack([inputs[len(inputs) // 2] for inputs in cuts])[..., None]
        self._targets = examples.targets
        # Devices that share a batch get as much each, so that no batch may be smaller than the others.
        filled = -(-len(cuts) // _ROWS) * _ROWS
        self._inputs = self._inputs[np.resize(np.arange(len(cuts)), filled)]

    def through(self, model: Any) -> Self:
        """The same clips, as inputs for a network on the output of `model`, such as descriptors."""
        changed = copy.copy(self)
        changed._inputs = np.asarray(model.predict(self._inputs, batch_size=_ROWS, verbose=0))
        return changed

    def logits(self, model: Any) -> NDArray[np.float32]:
        """(n_clips, n_labels) outputs of a network with an output ``logits``."""
        outputs = model.predict(self._inputs, batch_size=_ROWS, verbose=0)["logits"]
        return np.asarray(outputs)[: len(self._targets)]

    def figures(self, logits: NDArray[np.floating[Any]]) -> tuple[float, float]:
        """Log loss and accuracy of (n_clips, n_labels) logits."""
        right = logits.argmax(axis=1) == self._targets
        return log_loss(softmax(logits), self._targets), float(right.mean())
