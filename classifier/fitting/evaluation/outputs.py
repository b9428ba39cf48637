"""Outputs of versions for clips: pooled over the patches of each, clean and through channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import channels, patches
from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import Examples
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput, Pooled, Runner, pool
from classifier.core.patches import PatchParams
from classifier.fitting.networks.regression import Affine
from classifier.releases import EvaluationFeatures

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

CHANNEL_CLIPS = 60
"""Number of the test clips, spread evenly, that pass through the channels, whose simulation takes longest."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Pooled outputs of n tracks: (n, n_labels) logits, (n,) probability of music, (n, n_embedding)."""

    logits: FloatArray
    music: FloatArray
    embeddings: FloatArray

    @classmethod
    def stack(cls, tracks: Sequence[Pooled]) -> Outputs:
        """Join the outputs of at least one track."""
        return cls(
            logits=np.stack([track.logits for track in tracks]),
            music=np.array([track.music for track in tracks], dtype=np.float32),
            embeddings=np.stack([track.embedding for track in tracks]),
        )


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips with known labels that a version was not trained on.

    Attributes
    ----------
    names
        Of the clips.
    examples
        Their columns and, for versions that need them, their summary features.
    """

    names: Sequence[str]
    examples: Examples


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationOutputs:
    """Outputs for the clips of the test set: clean, and some or all of them through channels of `ROBUSTNESS`.

    Attributes
    ----------
    channel_rows
        Which of the clips passed through the channels.
    """

    names: Sequence[str]
    targets: IntArray
    clean: Outputs
    channels: Mapping[str, Outputs]
    channel_rows: IntArray


class KerasRunner:
    """A Keras network in the place of a LiteRT one."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Raw outputs for (n, n_mels, n_columns) inputs, all at once."""
        raw = self._model.predict_on_batch(inputs[..., None])
        return NetworkOutput(
            logits=np.asarray(raw["logits"]),
            music_logits=np.asarray(raw["music"])[:, 0],
            embeddings=np.asarray(raw["embedding"]),
        )


def pool_music(output: NetworkOutput) -> Pooled:
    """Pool the outputs of a clip of stored decibels, all of which is taken for music.

    Stored decibels are relative, so silence cannot be told from them; the clips are music throughout.
    """
    return pool(output, np.ones(len(output.logits), dtype=np.float32))


def run_tracks(network: Runner, tracks: Iterable[FloatArray], params: PatchParams) -> Outputs:
    """Outputs per track for (n_mels, n_columns) decibels."""
    return Outputs.stack([pool_music(network.run(patches.cut(db, params).inputs)) for db in tracks])


def through_fixed(tracks: Sequence[FloatArray], name: str, params: PatchParams) -> list[FloatArray]:
    """Decibels of tracks after one entry of `channels.ROBUSTNESS`."""
    return [
        patches.to_db(channels.through_fixed(patches.db_to_power(db), name, clip=index), params)
        for index, db in enumerate(tracks)
    ]


def predict_clips(
    classifier: Classifier, examples: Examples, check_stopped: Callable[[], None] = lambda: None
) -> tuple[Outputs, IntArray]:
    """Outputs for clips, and the places of those that have outputs: not those that lack features it needs.

    Parameters
    ----------
    check_stopped
        Called before every clip; may raise to cancel.
    """
    rows, kept = [], []
    for row in range(len(examples)):
        check_stopped()
        summary = None if examples.summary is None else examples.summary[row]
        if summary is not None and not np.isfinite(summary).all():
            summary = None
        cut = classifier.stretches(examples.db[row], summary=summary)
        if cut is not None:
            rows.append(pool_music(classifier.network.run(cut.inputs)))
            kept.append(row)
    if not rows:
        empty = np.zeros((0, len(classifier.labels)), np.float32)
        return Outputs(empty, np.zeros(0, np.float32), empty), np.zeros(0, np.intp)
    return Outputs.stack(rows), np.array(kept, dtype=np.intp)


def predict_test_clips(
    classifier: Classifier, test: Clips, check_stopped: Callable[[], None] = lambda: None
) -> EvaluationOutputs:
    """Outputs for the test clips: clean and, unless the version needs samples, through channels."""
    clean, kept = predict_clips(classifier, test.examples, check_stopped)
    names, targets = [test.names[row] for row in kept], test.examples.targets[kept]
    degraded: dict[str, Outputs] = {}
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), CHANNEL_CLIPS)).astype(np.intp))
    if not classifier.needs_samples and len(kept):
        tracks = [test.examples.db[row] for row in chosen]
        for name in ROBUSTNESS:
            check_stopped()
            examples = Examples(through_fixed(tracks, name, classifier.patch_params), targets[chosen])
            degraded[name] = predict_clips(classifier, examples, check_stopped)[0]
    return EvaluationOutputs(names, targets, clean, degraded, chosen)


def from_evaluation_features(stored: EvaluationFeatures, head: Affine) -> EvaluationOutputs:
    """Outputs of a network with another head for the test set, from the stored embeddings."""
    return EvaluationOutputs(
        names=stored.names,
        targets=stored.targets,
        clean=_with_head(stored.embeddings, stored.music, head),
        # The probability of music of a degraded clip is not stored; robustness is about the genre.
        channels={
            name: _with_head(embeddings, np.ones_like(stored.music), head)
            for name, embeddings in zip(stored.channel_names, stored.channel_embeddings, strict=True)
        },
        channel_rows=np.arange(len(stored.names)),
    )


def _with_head(embeddings: FloatArray, music: FloatArray, head: Affine) -> Outputs:
    return Outputs(np.asarray(head(embeddings), dtype=np.float32), music, embeddings)
