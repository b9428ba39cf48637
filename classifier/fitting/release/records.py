"""Measuring a network on its way to a release, and writing down what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import Examples, LogMelDataset
from classifier.core.features import FeatureParams
from classifier.core.inference import (
    FORMAT_VERSION,
    METADATA_FILE,
    MODEL_FILE,
    Calibration,
    Network,
    Runner,
    softmax,
)
from classifier.core.metrics import evaluate
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import FloatArray, PatchParams
from classifier.core.protocols import by_artist
from classifier.fitting.artifact.embeddings import run, through_fixed, write_evaluation_features, write_replay
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.artifact.version_card import CARD_FILE
from classifier.fitting.evaluation import calibration, figures
from classifier.releases import EVALUATION_FEATURES_FILE, REPLAY_FILE

IntArray = NDArray[np.intp]

LEAST_CONFIDENT_ACCURACY = 0.82
"""Two points above the 80 % that are promised: the threshold will meet clips it was not fitted on."""
MOST_MUSIC_LOST = 0.01
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
        """The fitted clips, `count` times divided by artist into what is learnt and what is asked."""
        return [
            (self._whole.examples(fold.train.tolist()), self._whole.examples(fold.test.tolist()))
            for fold in by_artist(self._whole, self._learnable, count)
        ]


@dataclass(frozen=True, slots=True)
class OutOfFoldOutputs:
    """What networks say of clips that they have not learnt, as they are and through channels.

    Attributes
    ----------
    logits, targets, music
        Of every clip: (n, n_labels), (n,), (n,).
    spoilt_logits, spoilt_targets
        Every clip through a third of the fixed channels.
    """

    logits: FloatArray
    targets: IntArray
    music: FloatArray
    channel_logits: FloatArray
    channel_targets: IntArray

    @classmethod
    def heard(cls, network: Runner, examples: Examples, params: PatchParams) -> OutOfFoldOutputs:
        """Ask a network about examples."""
        clean = run(network, examples.db, params)
        logits, targets = [], []
        step = len(ROBUSTNESS) // _CHANNELS_PER_CLIP
        for place, name in enumerate(ROBUSTNESS):
            rows = list(range(place % step, len(examples), step))
            degraded = through_fixed([examples.db[row] for row in rows], name, params)
            logits.append(run(network, degraded, params).logits)
            targets.append(examples.targets[rows])
        return cls(
            clean.logits, examples.targets, clean.music, np.concatenate(logits), np.concatenate(targets)
        )

    @classmethod
    def joined(cls, parts: Sequence[OutOfFoldOutputs]) -> OutOfFoldOutputs:
        """The parts as one."""
        names = ("logits", "targets", "music", "channel_logits", "channel_targets")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def calibrated(unseen: OutOfFoldOutputs) -> Calibration:
    """Learn how outputs are to be read.

    The temperature is fitted on clean clips, of which the calibration error is told. The threshold must hold
    under the fixed channels as well.
    """
    temperature = calibration.fit_temperature(unseen.logits, unseen.targets)
    conditions = ((unseen.logits, unseen.targets), (unseen.channel_logits, unseen.channel_targets))
    return Calibration(
        temperature=temperature,
        unsure_below=max(
            calibration.fit_unsure_threshold(
                softmax(logits / temperature), targets, least_accuracy=LEAST_CONFIDENT_ACCURACY
            )
            for logits, targets in conditions
        ),
        music_threshold=calibration.fit_music_threshold(unseen.music, most_lost=MOST_MUSIC_LOST),
    )


def write_records(
    work: Path, origin: Mapping[str, Any], unseen: OutOfFoldOutputs, material: ReleaseClips
) -> None:
    """Measure the exported network in `work`; write its metadata, card and what it keeps of its clips.

    Parameters
    ----------
    origin
        Entries of the metadata that say where the network comes from, its shape and its patches.
    unseen
        What networks of the same recipe say of the fitted clips without having learnt them.
    """
    metadata = {**_measure(work, PatchParams(**origin["patches"]), unseen, material), **origin}
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(model_card(metadata), encoding="utf-8")


def _measure(
    work: Path, params: PatchParams, unseen: OutOfFoldOutputs, material: ReleaseClips
) -> dict[str, Any]:
    network = Network((work / MODEL_FILE).read_bytes())
    test, calibration, labels = material.test, calibrated(unseen), material.labels
    outputs = run(network, test.db, params)
    clean = softmax(outputs.logits / calibration.temperature)
    heard = {name: run(network, through_fixed(test.db, name, params), params) for name in ROBUSTNESS}
    channels = {
        name: figures.under(degraded, test.targets, clean.argmax(axis=1), calibration)
        for name, degraded in heard.items()
    }
    refused = run(network, material.sounds, params).music < calibration.music_threshold
    write_replay(work / REPLAY_FILE, network, material.fitted, material.fitted_names, params)
    write_evaluation_features(work / EVALUATION_FEATURES_FILE, test, material.test_names, outputs, heard)
    weights = _digest(work / WEIGHTS_FILE)
    return {
        "format_version": FORMAT_VERSION,
        "architecture": "residual-cnn",
        "labels": list(labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "calibration": asdict(calibration),
        "sha256": _digest(work / MODEL_FILE),
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "replay_sha256": _digest(work / REPLAY_FILE),
        "frozen_sha256": _digest(work / EVALUATION_FEATURES_FILE),
        "trained_on": {
            "set": "GTZAN, filtered split (Kereliuk, Sturm and Larsen, 2015), train and validation parts",
            "tracks": len(material.fitted),
        },
        "validation": asdict(
            evaluate(unseen.targets, softmax(unseen.logits / calibration.temperature), labels)
        ),
        "test": asdict(evaluate(test.targets, clean, labels)),
        "test_accuracy_at_60_percent_coverage": figures.at_coverage(test.targets, clean),
        "test_predictions": figures.predictions(material.test_names, clean, labels),
        "test_truths": dict(zip(material.test_names, (labels[t] for t in test.targets), strict=True)),
        "test_channels": {name: row for name, row in channels.items() if len(ROBUSTNESS[name]) == 1},
        "robustness": figures.summary(channels),
        "outliers_refused": float(refused.mean()),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
