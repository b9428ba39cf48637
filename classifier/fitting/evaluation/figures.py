"""Figures of a version on clips that it was not trained on, from its outputs, as metadata hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.artifact import Calibration
from classifier.core.channels import ROBUSTNESS
from classifier.core.metrics import accuracy_at_coverage, evaluate
from classifier.fitting.evaluation.outputs import EvaluationOutputs, Outputs

IntArray = NDArray[np.intp]

COVERAGE: Final = 0.6
FIGURES: Final = (
    "test",
    "test_accuracy_at_60_percent_coverage",
    "test_predictions",
    "test_truths",
    "test_channels",
    "robustness",
)


def figures(outputs: EvaluationOutputs, labels: Sequence[str], calibration: Calibration) -> dict[str, Any]:
    """Figures on the test set, under the keys of `FIGURES`."""
    targets = outputs.targets
    clean = softmax(outputs.clean.logits / calibration.temperature)
    found = {
        "test": measured(targets, clean, labels),
        "test_accuracy_at_60_percent_coverage": at_coverage(targets, clean),
        "test_predictions": predictions(outputs.names, clean, labels),
        "test_truths": {name: labels[target] for name, target in zip(outputs.names, targets, strict=True)},
    }
    if outputs.channels:
        verdicts, chosen = clean.argmax(axis=1), outputs.channel_rows
        rows = {
            name: under(degraded, targets[chosen], verdicts[chosen], calibration)
            for name, degraded in outputs.channels.items()
        }
        found["test_channels"] = {name: rows[name] for name in rows if len(ROBUSTNESS.get(name, ())) == 1}
        found["robustness"] = {"clips": len(chosen), **summary(rows)}
    return found


def measured(targets: IntArray, probabilities: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    """An evaluation as JSON can hold it: the recall of a label that has no clips is None."""
    entry = asdict(evaluate(targets, probabilities, labels))
    entry["recall"] = {
        label: None if math.isnan(value) else value for label, value in entry["recall"].items()
    }
    return entry


def at_coverage(targets: IntArray, probabilities: NDArray[np.float64]) -> float:
    """Accuracy of the most confident 60 % of the verdicts."""
    coverage, accuracy = accuracy_at_coverage(targets, probabilities)
    return float(accuracy[min(int(np.searchsorted(coverage, COVERAGE)), len(accuracy) - 1)])


def predictions(
    names: Sequence[str], probabilities: NDArray[np.float64], labels: Sequence[str]
) -> dict[str, list[Any]]:
    """The label and the confidence predicted for each clip, by its name."""
    return {
        name: [labels[int(row.argmax())], round(float(row.max()), 4)]
        for name, row in zip(names, probabilities, strict=True)
    }


def under(outputs: Outputs, targets: IntArray, clean: IntArray, calibration: Calibration) -> dict[str, Any]:
    """Figures under one channel; `clean` are the verdicts without it."""
    probabilities = softmax(outputs.logits / calibration.temperature)
    music = outputs.music >= calibration.music_threshold
    sure = music & (probabilities.max(axis=1) >= calibration.unsure_below)
    return shares(probabilities.argmax(axis=1), sure, targets, clean)


def shares(
    verdict: IntArray, sure: NDArray[np.bool_], targets: IntArray, clean: IntArray
) -> dict[str, float | None]:
    """Shares of verdicts that are right, confident, and those of the clean clips; all (n_clips,)."""
    right = verdict == targets
    return {
        "accuracy": float(right.mean()),
        "confident": float(sure.mean()),
        "confident_accuracy": float(right[sure].mean()) if sure.any() else None,
        "agreement": float((verdict == clean).mean()),
        "agreement_or_unsure": float(((verdict == clean) | ~sure).mean()),
    }


def summary(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Summary of the figures of all channels; confident verdicts are counted over all of them together."""
    worst = min(channels, key=lambda name: channels[name]["accuracy"])
    shares = [row["confident"] for row in channels.values()]
    right = [row["confident"] * (row["confident_accuracy"] or 0.0) for row in channels.values()]
    return {
        "mean": float(np.mean([row["accuracy"] for row in channels.values()])),
        "worst": {"channel": worst, "accuracy": channels[worst]["accuracy"]},
        "confident": float(np.mean(shares)),
        "confident_accuracy": float(np.sum(right) / np.sum(shares)) if np.sum(shares) else None,
        "agreement": float(np.mean([row["agreement"] for row in channels.values()])),
        "agreement_or_unsure": float(np.mean([row["agreement_or_unsure"] for row in channels.values()])),
        "channels": {name: dict(row) for name, row in channels.items()},
    }
