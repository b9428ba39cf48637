"""The classifier in service: patches -> probabilities over time, a verdict and an embedding.

A release is a folder with the network as a LiteRT file and `metadata.json`, which says what the network
expects and how its outputs are to be read. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.core import artifact, patches
from classifier.core.artifact import (
    FORMAT_VERSION,
    METADATA_FILE,
    MODEL_FILE,
    Calibration,
    ReleaseError,
    read_metadata,
)
from classifier.core.patches import Patches, PatchParams

__all__ = [
    "FORMAT_VERSION",
    "METADATA_FILE",
    "MODEL_FILE",
    "Calibration",
    "Classifier",
    "Network",
    "NetworkOutput",
    "Pooled",
    "Prediction",
    "ReleaseError",
    "Runner",
    "Segment",
    "pool",
    "read_metadata",
    "segment_bounds",
    "sigmoid",
    "softmax",
]

FloatArray = NDArray[np.float32]

FULL_ENOUGH = 0.9
"""Patches this full of sound, relative to the fullest one of the track, take part in the verdict."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The genres of one stretch of a track: seconds from its beginning, probabilities by label."""

    start: float
    end: float
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says about a track.

    Attributes
    ----------
    label
        The most probable genre, or None where no music was found.
    confidence
        The calibrated probability of the most probable genre.
    unsure
        True where the confidence is under the release's threshold or no music was found.
    music
        False for silence, noise, test tones and the like.
    probabilities
        By label, summing to 1.
    timeline
        Contiguous segments from 0 to the track's duration.
    embedding
        (n_embedding,) float32, pooled like the verdict.
    """

    label: str | None
    confidence: float
    unsure: bool
    music: bool
    probabilities: dict[str, float]
    timeline: list[Segment]
    embedding: FloatArray

    def likely(self, k: int = 3) -> list[str]:
        """The genres to name when unsure: the best two, then, up to `k`, those at least half as probable."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        best = ranked[0][1]
        return [label for i, (label, p) in enumerate(ranked[: max(k, 2)]) if i < 2 or p >= best / 2]


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


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    shifted = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits, axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probability of a binary event from its logit, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))


class Runner(Protocol):
    """Whatever gives raw outputs for the stretches of a track. Safe to share between threads."""

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Raw outputs for (n, ...) inputs."""


class Network:
    """A LiteRT network. Safe to share between threads and to carry through a fork.

    An interpreter is neither, so each thread of each process makes its own on first use.
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._local = threading.local()

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Raw outputs of the network for (n_patches, n_mels, n_columns) inputs, one patch at a time.

        A convolution over one patch already fills a core, so batches would only cost memory.
        """
        runner = self._runner()
        rows = [runner(patches=patch[None, :, :, None]) for patch in inputs]
        return NetworkOutput(
            logits=np.concatenate([row["logits"] for row in rows]),
            music_logits=np.concatenate([row["music"] for row in rows])[:, 0],
            embeddings=np.concatenate([row["embedding"] for row in rows]),
        )

    def _runner(self) -> Any:
        if getattr(self._local, "pid", None) != os.getpid():
            from ai_edge_litert.interpreter import Interpreter

            self._local.interpreter = Interpreter(model_content=self._model, num_threads=1)
            self._local.runner = self._local.interpreter.get_signature_runner()
            self._local.pid = os.getpid()
        return self._local.runner


class Classifier:
    """A version, verified and ready. Safe to share between threads and to carry through a fork.

    Attributes
    ----------
    network
        What answers: a LiteRT network, or one of `classifier.core.baseline_models`.
    needs_samples
        Whether the mel spectrogram is not enough for it and `predict` must be given the sound itself.
    """

    needs_samples = False

    def __init__(self, *, model: bytes, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.name: str = metadata["name"]
        self.labels: tuple[str, ...] = tuple(metadata["labels"])
        self.patch_params = PatchParams(**metadata["patches"])
        self.calibration = Calibration(**metadata["calibration"])
        self.network: Runner = self._made_of(model)
        self.needs_samples = artifact.architecture_of(metadata) == "feature-mlp"

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read a release folder.

        Raises
        ------
        ReleaseError
            A file is missing or unreadable, or its hash, format version or feature version does not match.
        """
        metadata = artifact.read_metadata(path)
        return cls(model=artifact.read_model(path, metadata), metadata=metadata)

    def _made_of(self, model: bytes) -> Runner:
        # Only here: these methods stand on this module.
        from classifier.core import baseline_models

        match artifact.architecture_of(self.metadata):
            case "mfcc-knn":
                return baseline_models.Neighbours.from_bytes(
                    model, n_labels=len(self.labels), params=self.patch_params
                )
            case "feature-mlp":
                return baseline_models.SummaryMlp.from_bytes(model, n_labels=len(self.labels))
            case _:
                return Network(model)

    def predict(
        self, mel_power: FloatArray, *, duration: float, samples: FloatArray | None = None
    ) -> Prediction:
        """Classify a track.

        Parameters
        ----------
        mel_power
            (n_mels, n_frames) linear power, as `features` gives it.
        duration
            Length of the track in seconds; the timeline ends there.
        samples
            (n_samples,) the sound itself; read by a classifier that `needs_samples`.

        Raises
        ------
        ValueError
            Samples are needed and not given.
        """
        if not self.needs_samples:
            cut = patches.from_power(mel_power, self.patch_params)
        elif samples is None:
            raise ValueError(f"{self.name} needs the sound itself")
        else:
            from classifier.core import baseline_models

            cut = baseline_models.pieces(samples, self.patch_params)
        return self.read(self.network.run(cut.inputs), cut, duration=duration)

    def predict_stored(self, db: FloatArray, *, summary: FloatArray | None = None) -> Prediction | None:
        """Classify a clip of which only its features were kept; None where those are not enough.

        Parameters
        ----------
        db
            (n_mels, n_columns) decibels, relative to any reference.
        summary
            (57,) the clip's summary features.
        """
        cut = self.stretches(db, summary=summary)
        if cut is None:
            return None
        duration = db.shape[1] * self.patch_params.column_seconds
        return self.read(self.network.run(cut.inputs), cut, duration=duration)

    def stretches(self, db: FloatArray, *, summary: FloatArray | None = None) -> Patches | None:
        """What the network is given of a clip of which only its features were kept; see `predict_stored`."""
        if not self.needs_samples:
            return patches.cut(db, self.patch_params)
        if summary is None:
            return None
        from classifier.core import baseline_models

        return baseline_models.piece_of(summary, db.shape[1] * self.patch_params.column_seconds)

    def read(self, output: NetworkOutput, cut: Patches, *, duration: float) -> Prediction:
        """Turn raw outputs into a verdict."""
        calibration = self.calibration
        segments = softmax(output.logits / calibration.temperature)
        segments[cut.sounding == 0] = 1 / len(self.labels)
        pooled = pool(output, cut.sounding)
        probabilities = softmax(pooled.logits / calibration.temperature)
        music = pooled.music >= calibration.music_threshold
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        bounds = segment_bounds(cut, duration)
        return Prediction(
            label=self.labels[best] if music else None,
            confidence=confidence,
            unsure=not music or confidence < calibration.unsure_below,
            music=music,
            probabilities=self._named(probabilities),
            timeline=[
                Segment(start=float(start), end=float(end), probabilities=self._named(row))
                for start, end, row in zip(bounds[:-1], bounds[1:], segments, strict=True)
            ],
            embedding=pooled.embedding,
        )

    def _named(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        return {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)}


def pool(output: NetworkOutput, sounding: FloatArray) -> Pooled:
    """Weigh the patches of a track into one.

    Silence before, within or after the music has no voice, nor have patches that hold much of it while
    fuller ones exist. Among the rest each counts by its probability of being music. A silent track has
    logits of zero.

    Parameters
    ----------
    sounding
        (n_patches,) share of each patch that is not silent.
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


def segment_bounds(cut: Patches, duration: float) -> NDArray[np.float64]:
    """The n + 1 borders of the timeline: half way between neighbouring patches, from 0 to `duration`."""
    centres = (cut.start + cut.end) / 2
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[0.0], np.minimum(inner, duration), [duration]])
