"""Predictions of a version: patches -> probabilities over time, a verdict and an embedding.

A version is a folder with a model file and `metadata.json`, which holds the patch parameters, the labels and
the calibration of the outputs. Nothing here imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import artifact, baseline_models, patches
from classifier.core.activations import softmax
from classifier.core.artifact import (
    Calibration,
    ReleaseError,
    read_metadata,
)
from classifier.core.ensemble import Ensemble
from classifier.core.outputs import NetworkOutput, Runner, pool
from classifier.core.patches import Patches, PatchParams
from classifier.core.prediction import Prediction, Segment, TrackTags
from classifier.core.recordings import tag_equalised, tag_equalised_spectrogram
from classifier.core.tagger import Tagger, TagOutput
from classifier.core.tagger_input import patches_of_spectrogram

__all__ = ["Classifier", "Prediction", "ReleaseError", "Segment", "read_metadata", "segment_bounds"]

FloatArray = NDArray[np.float32]


class Classifier:
    """A version, verified and ready. Safe to share between threads and to carry through a fork.

    Attributes
    ----------
    network
        The model: a LiteRT network, or one of `classifier.core.baseline_models`.
    needs_samples
        Whether it reads features that are computed from the samples, so that `predict` must be given them.
    """

    needs_samples = False

    def __init__(
        self,
        *,
        model: bytes,
        metadata: Mapping[str, Any],
        ensemble: Ensemble | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        self.metadata = metadata
        self.name: str = metadata["name"]
        self.labels: tuple[str, ...] = tuple(metadata["labels"])
        self.patch_params = PatchParams(**metadata["patches"])
        self.calibration = Calibration(**metadata["calibration"])
        architecture = artifact.architecture(metadata)
        self.network: Runner = architecture.load(model, len(self.labels), self.patch_params)
        self.needs_samples = architecture.needs == "summary"
        self.ensemble = ensemble
        joined = ensemble is not None and tagger is not None and ensemble.fits(tagger)
        self._tagger = tagger if joined else None

    @classmethod
    def load(cls, path: Path, *, tagger: Tagger | None = None) -> Classifier:
        """Read a release folder.

        Raises
        ------
        ReleaseError
            A file is missing or unreadable, or its hash, format version or feature version does not match.
        """
        metadata = artifact.read_metadata(path)
        return cls(
            model=artifact.read_model(path, metadata),
            metadata=metadata,
            ensemble=Ensemble.load(path, metadata),
            tagger=tagger,
        )

    @property
    def uses_tagger(self) -> bool:
        """Whether predictions for a track's samples are joined with the tagger's output."""
        return self._tagger is not None

    def tag(self, samples: FloatArray, *, levelled: bool = False) -> TagOutput | None:
        """Tag (n_samples,) mono samples at 22,050 Hz; None where the version does not use the tagger.

        A sound in which music is hard to hear is tagged once more, equalised.

        Parameters
        ----------
        levelled
            Whether the sound is given to the tagger at a common level too, for similar tracks.
        """
        if self._tagger is None or self.ensemble is None:
            return None
        found = self._tagger.tag(samples, levelled=levelled)
        if self.ensemble.is_recording(found):
            return replace(found, equalised=tag_equalised(self._tagger, samples))
        return found

    def tag_spectrogram(self, log_mel: FloatArray) -> TagOutput | None:
        """Tag a track as `tag` does of which only its spectrogram was kept.

        Parameters
        ----------
        log_mel
            (n_frames, N_MELS) as for `classifier.core.tagger_input.patches_of_spectrogram`.
        """
        if self._tagger is None or self.ensemble is None:
            return None
        found = self._tagger.tag_patches(patches_of_spectrogram(log_mel))
        if self.ensemble.is_recording(found):
            return replace(found, equalised=tag_equalised_spectrogram(self._tagger, log_mel))
        return found

    def predict(
        self,
        mel_power: FloatArray,
        *,
        duration: float,
        samples: FloatArray | None = None,
        tagged: TagOutput | None = None,
    ) -> Prediction:
        """Classify a track.

        Parameters
        ----------
        mel_power
            (n_mels, n_frames) linear power, as `features` gives it.
        duration
            Length of the track in seconds; the timeline ends there.
        samples
            (n_samples,) mono; read by a classifier that `needs_samples`.
        tagged
            Of the same track, from `tag`; computed from `samples` if these alone are given. Without either,
            the prediction is the network's own.

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
            cut = baseline_models.pieces(samples, self.patch_params)
        own = self.read(self.network.run(cut.inputs), cut, duration=duration)
        if tagged is None and samples is not None:
            tagged = self.tag(samples)
        if tagged is None or self.ensemble is None:
            return own
        return self.ensemble.refine(own, tagged)

    def predict_stored(
        self,
        db: FloatArray,
        *,
        summary: FloatArray | None = None,
        tagged: TagOutput | None = None,
        tags: TrackTags | None = None,
    ) -> Prediction | None:
        """Classify a clip of which only its features were kept; None where those are not enough.

        Parameters
        ----------
        db
            (n_mels, n_columns) decibels, relative to any reference.
        summary
            (57,) the clip's summary features.
        tagged
            The tagger's output for the same clip.
        tags
            The same where only its mean over the clip was kept; that of another tagger is not used, and the
            tagger itself need not be installed. Without either, the prediction is the network's own.
        """
        cut = self.stretches(db, summary=summary)
        if cut is None:
            return None
        duration = db.shape[1] * self.patch_params.column_seconds
        own = self.read(self.network.run(cut.inputs), cut, duration=duration)
        if self.ensemble is None:
            return own
        if tagged is not None:
            return self.ensemble.refine(own, tagged)
        if tags is not None and self.ensemble.takes(tags):
            return self.ensemble.refine_stored(own, tags)
        return own

    def stretches(self, db: FloatArray, *, summary: FloatArray | None = None) -> Patches | None:
        """Inputs of the network for a clip of which only its features were kept; see `predict_stored`."""
        if not self.needs_samples:
            return patches.cut(db, self.patch_params)
        if summary is None:
            return None
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


def segment_bounds(cut: Patches, duration: float) -> NDArray[np.float64]:
    """The n + 1 borders of the timeline: half way between neighbouring patches, from 0 to `duration`."""
    centres = (cut.start + cut.end) / 2
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[0.0], np.minimum(inner, duration), [duration]])
