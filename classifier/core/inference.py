"""The classifier in service: patches -> probabilities over time, a verdict and an embedding.

A release is a folder with the network as a LiteRT file and `metadata.json`, which says what the network
expects and how its outputs are to be read. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.features import FeatureParams
from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]

FORMAT_VERSION = 1
MODEL_FILE = "model.tflite"
METADATA_FILE = "metadata.json"
FULL_ENOUGH = 0.9
"""Patches this full of sound, relative to the fullest one of the track, take part in the verdict."""


class ReleaseError(ValueError):
    """A release cannot be used; the message says why in one sentence."""


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
class Calibration:
    """How raw outputs are read; fitted on the validation part.

    Attributes
    ----------
    temperature
        Divides the genre logits (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
    unsure_below
        A verdict with a lower confidence is marked unsure.
    music_threshold
        Least mean probability of music for a genre to be named at all.
    """

    temperature: float
    unsure_below: float
    music_threshold: float


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
    """A release, verified and ready. Safe to share between threads and to carry through a fork."""

    def __init__(self, *, model: bytes, metadata: Mapping[str, Any]) -> None:
        self.network = Network(model)
        self.metadata = metadata
        self.name: str = metadata["name"]
        self.labels: tuple[str, ...] = tuple(metadata["labels"])
        self.patch_params = PatchParams(**metadata["patches"])
        self.calibration = Calibration(**metadata["calibration"])

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read a release folder.

        Raises
        ------
        ReleaseError
            A file is missing or unreadable, or its hash, format version or feature version does not match.
        """
        metadata = read_metadata(path)
        try:
            model = (path / MODEL_FILE).read_bytes()
        except OSError as error:
            raise ReleaseError(f"The model file of release {path.name} cannot be read: {error}.") from error
        if hashlib.sha256(model).hexdigest() != metadata["sha256"]:
            raise ReleaseError(
                f"The model file of release {path.name} does not match the hash in its metadata."
            )
        return cls(model=model, metadata=metadata)

    def predict(self, mel_power: FloatArray, *, duration: float) -> Prediction:
        """Classify a track.

        Parameters
        ----------
        mel_power
            (n_mels, n_frames) linear power, as `features` gives it.
        duration
            Length of the track in seconds; the timeline ends there.
        """
        cut = patches.from_power(mel_power, self.patch_params)
        return self.read(self.network.run(cut.inputs), cut, duration=duration)

    def read(self, output: NetworkOutput, cut: patches.Patches, *, duration: float) -> Prediction:
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


def segment_bounds(cut: patches.Patches, duration: float) -> NDArray[np.float64]:
    """The n + 1 borders of the timeline: half way between neighbouring patches, from 0 to `duration`."""
    centres = (cut.start + cut.end) / 2
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[0.0], np.minimum(inner, duration), [duration]])


def read_metadata(path: Path) -> dict[str, Any]:
    """Read and check the metadata of a release folder.

    Raises
    ------
    ReleaseError
        The file is missing, is not valid, or was written for another format or for other features.
    """
    try:
        metadata = json.loads((path / METADATA_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"The metadata of release {path.name} cannot be read: {error}.") from error
    found = metadata.get("format_version") if isinstance(metadata, dict) else None
    if found != FORMAT_VERSION:
        raise ReleaseError(
            f"Release {path.name} has format version {found}; this program reads {FORMAT_VERSION}."
        )
    missing = {"name", "labels", "feature_version", "patches", "calibration", "sha256"} - metadata.keys()
    if missing:
        raise ReleaseError(f"The metadata of release {path.name} lack {', '.join(sorted(missing))}.")
    for key, expected in (("patches", PatchParams), ("calibration", Calibration)):
        if set(metadata[key]) != {field.name for field in fields(expected)}:
            raise ReleaseError(f"The {key} entry of release {path.name} does not hold the expected values.")
    for what, version, current in (
        ("features", metadata["feature_version"], FeatureParams().version),
        ("patches", metadata["patches"]["version"], patches.PATCH_VERSION),
    ):
        if version != current:
            raise ReleaseError(
                f"Release {path.name} was trained on {what} {version}; this program makes {what} {current}."
            )
    return dict(metadata)
