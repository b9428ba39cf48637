"""Writing the files of a version that was fitted from the beginning: metadata, calibration, card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.artifact import FORMAT_VERSION, METADATA_FILE, MODEL_FILES, Calibration
from classifier.core.features import FeatureParams
from classifier.core.inference import Classifier, NetworkOutput, Runner, softmax
from classifier.fitting.artifact.version_card import CARD_FILE, version_card
from classifier.fitting.evaluation import calibration
from classifier.fitting.evaluation.figures import measured, predict_clips
from classifier.fitting.loop.task import FitTask, ShouldStop

FloatArray = NDArray[np.float32]

LEAST_TO_CALIBRATE: Final = 20
CAUTIOUS: Final = Calibration(temperature=1.5, unsure_below=0.6, music_threshold=0.5)
"""How a version is read where too few clips were held out to know better."""
_LEAST_CONFIDENT_ACCURACY = 0.82
_MOST_MUSIC_LOST = 0.01


class StoppedError(Exception):
    """Somebody asked for the end."""


class StoppableRunner:
    """A network that ends where it is asked to."""

    def __init__(self, network: Runner, should_stop: ShouldStop) -> None:
        self._network = network
        self._should_stop = should_stop

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Outputs of the network."""
        if self._should_stop():
            raise StoppedError
        return self._network.run(inputs)


def complete(name: str, given: FitTask, extra: Mapping[str, Any]) -> None:
    """Write metadata and card beside the model, calibrated on the validation part.

    Raises
    ------
    StoppedError
        The end was asked for in between.
    """
    work, labels, valid = given.work, given.labels, given.valid
    model = digest(work / MODEL_FILES[name])
    counts = np.bincount(given.train.targets, minlength=len(labels)).tolist()
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": work.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": given.seed,
        "architecture": name,
        "labels": list(labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "calibration": asdict(CAUTIOUS),
        "sha256": model,
        "backbone_sha256": model,
        "trained_on": {"tracks": len(given.train), "clips": dict(zip(labels, counts, strict=True))},
        **extra,
    }
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1, allow_nan=False), encoding="utf-8")

    def check_stopped() -> None:
        if given.should_stop():
            raise StoppedError

    outputs, kept = predict_clips(Classifier.load(work), valid, check_stopped)
    changed: dict[str, Any] = {}
    if len(kept) >= LEAST_TO_CALIBRATE:
        targets = valid.targets[kept]
        temperature = calibration.fit_temperature(outputs.logits, targets)
        probabilities = softmax(outputs.logits / temperature)
        threshold = calibration.fit_unsure_threshold(
            probabilities, targets, least_accuracy=_LEAST_CONFIDENT_ACCURACY
        )
        music = calibration.fit_music_threshold(outputs.music, most_lost=_MOST_MUSIC_LOST)
        changed = {
            "calibration": asdict(Calibration(temperature, threshold, music)),
            "validation": measured(targets, probabilities, labels),
        }
    amend(work, **changed)


def amend(work: Path, **entries: Any) -> None:
    """Change entries of the metadata, and the card with them."""
    path = work / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(metadata, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(version_card(metadata), encoding="utf-8")


def digest(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
