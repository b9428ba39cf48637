"""Measuring a release, and writing its metadata, card and stored embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.architectures import RESIDUAL_CNN
from classifier.core.artifact import FORMAT_VERSION, MODEL_FILE, Calibration, file_sha256
from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import Examples, LogMelDataset
from classifier.core.features import FeatureParams
from classifier.core.litert import Network
from classifier.core.metrics import evaluate
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.outputs import Runner
from classifier.core.patches import FloatArray, PatchParams
from classifier.core.protocols import by_artist
from classifier.fitting.artifact.embeddings import write_evaluation_features, write_replay
from classifier.fitting.artifact.metadata import write_metadata
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.evaluation import figures
from classifier.fitting.evaluation.calibration import fit_calibration
from classifier.fitting.evaluation.outputs import run_tracks, through_fixed
from classifier.releases import EVALUATION_FEATURES_FILE, REPLAY_FILE

IntArray = NDArray[np.intp]

_CHANNELS_PER_CLIP = 7


class ReleaseClips:
    """The clips of a release, by what they are for.

    Attributes
    ----------
    fitted, test
        The train and validation parts of the filtered split together, and its test part.
    fitted_names, test_names
        Of the clips.
    sounds
        Held-out sounds that are not music.
    """

    def __init__(self, whole: LogMelDataset, *, sounds: Sequence[FloatArray]) -> None:
        self._whole = whole
        self._learnable = whole.part("train") + whole.part("valid")
        test = whole.part("test")
        self.labels = whole.labels
        self.fitted = whole.examples(self._learnable)
        self.test = whole.examples(test)
        self.fitted_names = [whole.clips[row].name for row in self._learnable]
        self.test_names = [whole.clips[row].name for row in test]
        self.sounds = sounds

    def divisions(self, count: int) -> list[tuple[Examples, Examples]]:
        """The fitted clips, `count` times divided by artist into clips to fit on and clips to predict."""
        return [
            (self._whole.examples(fold.train.tolist()), self._whole.examples(fold.test.tolist()))
            for fold in by_artist(self._whole, self._learnable, count)
        ]


@dataclass(frozen=True, slots=True)
class OutOfFoldOutputs:
    """Outputs of networks for clips that they were not fitted on, clean and through channels.

    Attributes
    ----------
    logits, targets, music
        Of every clip: (n, n_labels), (n,), (n,).
    channel_logits, channel_targets
        Of every clip through a third of the fixed channels.
    """

    logits: FloatArray
    targets: IntArray
    music: FloatArray
    channel_logits: FloatArray
    channel_targets: IntArray

    @classmethod
    def predicted(cls, network: Runner, examples: Examples, params: PatchParams) -> OutOfFoldOutputs:
        """Outputs of one network."""
        clean = run_tracks(network, examples.db, params)
        logits, targets = [], []
        step = len(ROBUSTNESS) // _CHANNELS_PER_CLIP
        for place, name in enumerate(ROBUSTNESS):
            rows = list(range(place % step, len(examples), step))
            degraded = through_fixed([examples.db[row] for row in rows], name, params)
            logits.append(run_tracks(network, degraded, params).logits)
            targets.append(examples.targets[rows])
        return cls(
            clean.logits, examples.targets, clean.music, np.concatenate(logits), np.concatenate(targets)
        )

    @classmethod
    def joined(cls, parts: Sequence[OutOfFoldOutputs]) -> OutOfFoldOutputs:
        """The outputs of all parts."""
        names = ("logits", "targets", "music", "channel_logits", "channel_targets")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def calibrated(outputs: OutOfFoldOutputs) -> Calibration:
    """Calibrate on clean clips; the confidence threshold must hold under the fixed channels as well."""
    return fit_calibration(
        outputs.logits,
        outputs.targets,
        outputs.music,
        degraded=[(outputs.channel_logits, outputs.channel_targets)],
    )


def write_records(
    work: Path, origin: Mapping[str, Any], out_of_fold: OutOfFoldOutputs, clips: ReleaseClips
) -> None:
    """Measure the exported network in `work`; write its metadata, card and stored embeddings.

    Parameters
    ----------
    origin
        Entries of the metadata that describe the network's origin, shape and patches.
    out_of_fold
        Outputs of networks of the same recipe for the fitted clips, none of which was fitted on the clip.
    """
    network, params = Network((work / MODEL_FILE).read_bytes()), PatchParams(**origin["patches"])
    calibration = calibrated(out_of_fold)
    measured = _test_figures(work, network, params, clips, calibration)
    refused = run_tracks(network, clips.sounds, params).music < calibration.music_threshold
    write_replay(work / REPLAY_FILE, network, clips.fitted, clips.fitted_names, params)
    weights = file_sha256(work / WEIGHTS_FILE)
    probabilities = softmax(out_of_fold.logits / calibration.temperature)
    metadata = {
        "format_version": FORMAT_VERSION,
        "architecture": RESIDUAL_CNN.name,
        "labels": list(clips.labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "calibration": asdict(calibration),
        "sha256": file_sha256(work / MODEL_FILE),
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "replay_sha256": file_sha256(work / REPLAY_FILE),
        "trained_on": {
            "set": "GTZAN, filtered split (Kereliuk, Sturm and Larsen, 2015), train and validation parts",
            "tracks": len(clips.fitted),
        },
        "validation": asdict(evaluate(out_of_fold.targets, probabilities, clips.labels)),
        **measured,
        "outliers_refused": float(refused.mean()),
        **origin,
    }
    write_metadata(work, metadata, card=model_card)


def _test_figures(
    work: Path, network: Runner, params: PatchParams, clips: ReleaseClips, calibration: Calibration
) -> dict[str, Any]:
    """Figures on the test part, clean and under every channel; the outputs are stored."""
    test, names = clips.test, clips.test_names
    outputs = run_tracks(network, test.db, params)
    clean = softmax(outputs.logits / calibration.temperature)
    degraded = {
        name: run_tracks(network, through_fixed(test.db, name, params), params) for name in ROBUSTNESS
    }
    channels = {
        name: figures.under(under, test.targets, clean.argmax(axis=1), calibration)
        for name, under in degraded.items()
    }
    path = work / EVALUATION_FEATURES_FILE
    write_evaluation_features(path, names=names, targets=test.targets, clean=outputs, degraded=degraded)
    return {
        "frozen_sha256": file_sha256(path),
        "test": asdict(evaluate(test.targets, clean, clips.labels)),
        "test_accuracy_at_60_percent_coverage": figures.at_coverage(test.targets, clean),
        "test_predictions": figures.predictions(names, clean, clips.labels),
        "test_truths": dict(zip(names, (clips.labels[t] for t in test.targets), strict=True)),
        "test_channels": {name: row for name, row in channels.items() if len(ROBUSTNESS[name]) == 1},
        "robustness": figures.summary(channels),
    }
