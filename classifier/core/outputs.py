"""Outputs of a model for the patches of a track, and pooling them into one output for the whole track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import sigmoid

FloatArray = NDArray[np.float32]

FULL_ENOUGH = 0.9
"""Patches this full of sound, relative to the fullest one of the track, take part in the verdict."""


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """Raw outputs for the patches of one track: (n, n_labels) logits, (n,) music logits, (n, n_embedding)."""

    logits: FloatArray
    music_logits: FloatArray
    embeddings: FloatArray


@dataclass(frozen=True, slots=True)
class Pooled:
    """The outputs of a whole track: (n_labels,) logits, probability of music, (n_embedding,) embedding."""

    logits: FloatArray
    music: float
    embedding: FloatArray


class Runner(Protocol):
    """A model that gives raw outputs for the patches of a track. Safe to share between threads."""

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Raw outputs for (n, ...) inputs."""


def pool(output: NetworkOutput, sounding: FloatArray) -> Pooled:
    """Weighted mean of the outputs of a track's patches.

    Silent patches are left out, and so are patches with much silence where fuller ones exist. The others are
    weighted by their probability of being music. A silent track has logits of zero.

    Parameters
    ----------
    sounding
        (n_patches,) share of each patch that is not silent, 0 to 1.
    """
    chosen = sounding >= np.maximum(FULL_ENOUGH * sounding.max(), np.finfo(np.float32).tiny)
    if not chosen.any():
        return Pooled(np.zeros_like(output.logits[0]), 0.0, output.embeddings.mean(axis=0))
    music = sigmoid(output.music_logits[chosen])
    weights = np.maximum(music, 1e-6)
    weights = weights / weights.sum()
    return Pooled(
        logits=np.asarray(weights @ output.logits[chosen], dtype=np.float32),
        music=float(weights @ music),
        embedding=np.asarray(weights @ output.embeddings[chosen], dtype=np.float32),
    )
