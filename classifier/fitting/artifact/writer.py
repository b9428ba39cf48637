"""Metadata, calibration and card of a version that was fitted from the beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.architectures import Architecture
from classifier.core.artifact import FORMAT_VERSION, file_sha256
from classifier.core.features import FeatureParams
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput, Runner
from classifier.fitting.artifact.metadata import amend_metadata, write_metadata
from classifier.fitting.evaluation.calibration import CAUTIOUS, LEAST_TO_CALIBRATE, fit_calibration
from classifier.fitting.evaluation.figures import measured
from classifier.fitting.evaluation.outputs import predict_clips
from classifier.fitting.loop.task import FitTask


class StoppableRunner:
    """A network that raises `StoppedError` before a track where its task is stopped."""

    def __init__(self, network: Runner, task: FitTask) -> None:
        self._network = network
        self._task = task

    def run(self, inputs: NDArray[np.float32]) -> NetworkOutput:
        """Outputs of the network."""
        self._task.check_stopped()
        return self._network.run(inputs)


def complete(architecture: Architecture, task: FitTask, extra: Mapping[str, Any]) -> None:
    """Write metadata and card beside the model, calibrated on the validation part.

    Raises
    ------
    StoppedError
        It was stopped in between.
    """
    work, labels, valid = task.work, task.labels, task.valid
    model = file_sha256(work / architecture.model_file)
    counts = np.bincount(task.train.targets, minlength=len(labels)).tolist()
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": work.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": task.seed,
        "architecture": architecture.name,
        "labels": list(labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "calibration": asdict(CAUTIOUS),
        "sha256": model,
        "backbone_sha256": model,
        "trained_on": {"tracks": len(task.train), "clips": dict(zip(labels, counts, strict=True))},
        **extra,
    }
    write_metadata(work, metadata)
    outputs, kept = predict_clips(Classifier.load(work), valid, task.check_stopped)
    if len(kept) >= LEAST_TO_CALIBRATE:
        targets = valid.targets[kept]
        calibration = fit_calibration(outputs.logits, targets, outputs.music)
        probabilities = softmax(outputs.logits / calibration.temperature)
        amend_metadata(
            work,
            calibration=asdict(calibration),
            validation=measured(targets, probabilities, labels),
        )
