"""Evaluating a version: figures for its metadata, on clips that it was not trained on.

What cannot be measured is listed with the reason, and never estimated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.artifact import architecture, file_in, file_sha256
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.fitting.artifact.embeddings import write_evaluation_features
from classifier.fitting.evaluation.figures import FIGURES, figures, measured, predictions
from classifier.fitting.evaluation.outputs import (
    Clips,
    EvaluationOutputs,
    Outputs,
    predict_clips,
    predict_test_clips,
)
from classifier.releases import EVALUATION_FEATURES_FILE

IntArray = NDArray[np.intp]
CheckStopped = Callable[[], None]

_SPEED_RUNS = 5
_SPEED_PATIENCE = 2.0
"""Seconds after which no further run is begun: of a slow method fewer are enough."""
_SPEED_SECONDS = 30.0


def evaluate_version(
    folder: Path,
    *,
    test: Clips | None = None,
    holdout: Clips | None = None,
    check_stopped: CheckStopped = lambda: None,
) -> dict[str, Any]:
    """Measure a version on the test set, on held-out clips, and its speed.

    A version that stores the embeddings of the test set was measured on it when its last layer was fitted,
    see `networks.refit.refit_head`; others are measured on `test`.

    Parameters
    ----------
    folder
        A version, complete but for these figures.
    test
        The clips of the test set, targets as places in the version's labels.
    holdout
        Contributed clips that no version was trained on.
    check_stopped
        Called between clips; may raise to cancel.

    Returns
    -------
    dict
        The entries ``test``, ``test_predictions``, ``test_truths``, ``test_accuracy_at_60_percent_coverage``,
        ``test_channels``, ``robustness``, ``frozen_sha256`` (of the embeddings of the test clips, on which
        versions with another last layer are measured), ``holdout``, ``holdout_predictions``, ``speed`` and
        ``size`` as far as measured, and ``not_measured``: the reason by entry for the others.

    Raises
    ------
    ReleaseError
        The version cannot be loaded.
    """
    classifier = Classifier.load(folder)
    on_test, test_missing = _on_test(folder, classifier, test, check_stopped)
    on_holdout, holdout_missing = _on_holdout(classifier, holdout, check_stopped)
    return {
        "speed": speed(classifier),
        "size": {
            "bytes": (folder / architecture(classifier.metadata).model_file).stat().st_size,
            "parameters": classifier.metadata.get("parameters"),
        },
        **on_test,
        **on_holdout,
        "not_measured": test_missing | holdout_missing,
    }


def _on_test(
    folder: Path, classifier: Classifier, test: Clips | None, check_stopped: CheckStopped
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures on the test set, and the reasons for those that are missing."""
    if file_in(folder, EVALUATION_FEATURES_FILE).exists() and "test" in classifier.metadata:
        return {key: classifier.metadata[key] for key in FIGURES if key in classifier.metadata}, {}
    if test is None or not len(test.examples):
        return {}, dict.fromkeys(
            ("test", "robustness"), "The clips of the frozen test set are not on this site."
        )
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    outputs = predict_test_clips(classifier, test, check_stopped)
    if len(outputs.targets):
        found |= figures(outputs, classifier.labels, classifier.calibration)
        if "weights_sha256" in classifier.metadata:
            found["frozen_sha256"] = _keep_evaluation_features(folder, outputs)
    else:
        missing["test"] = "The test clips lack the features that this method needs."
    if not outputs.channels:
        missing["robustness"] = "The features that this method needs cannot be passed through channels."
    return found, missing


def _on_holdout(
    classifier: Classifier, holdout: Clips | None, check_stopped: CheckStopped
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures on held-out clips, and the reason where they are missing."""
    if holdout is None or not len(holdout.examples):
        return {}, {"holdout": "No contributed clips were held out."}
    outputs, kept = predict_clips(classifier, holdout.examples, check_stopped)
    if not len(kept):
        return {}, {"holdout": "The held-out clips lack the features that this method needs."}
    names = [holdout.names[row] for row in kept]
    return _holdout(outputs, holdout.examples.targets[kept], names, classifier), {}


def _holdout(
    outputs: Outputs, targets: IntArray, names: Sequence[str], classifier: Classifier
) -> dict[str, Any]:
    probabilities = softmax(outputs.logits / classifier.calibration.temperature)
    return {
        "holdout": measured(targets, probabilities, classifier.labels),
        "holdout_predictions": predictions(names, probabilities, classifier.labels),
    }


def _keep_evaluation_features(folder: Path, outputs: EvaluationOutputs) -> str:
    """Store the embeddings of the clean test clips, for versions with another head; give the file's hash."""
    path = folder / EVALUATION_FEATURES_FILE
    write_evaluation_features(
        path, names=outputs.names, targets=outputs.targets, clean=outputs.clean, degraded={}
    )
    return file_sha256(path)


def speed(classifier: Classifier) -> dict[str, float]:
    """Milliseconds from the mel spectrogram of a clip of 30 s to its verdict, the median of a few runs."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, int(_SPEED_SECONDS * classifier.patch_params.sample_rate))
    features = extract(samples.astype(np.float32))
    taken = []
    for _ in range(_SPEED_RUNS + 1):
        began = time.perf_counter()
        classifier.predict(
            features.mel_power, duration=features.duration, samples=np.asarray(samples, dtype=np.float32)
        )
        taken.append(time.perf_counter() - began)
        if len(taken) > 2 and sum(taken) > _SPEED_PATIENCE:
            break
    # The first run creates the interpreter.
    return {"milliseconds": round(1000 * float(np.median(taken[1:])), 2), "seconds_of_sound": _SPEED_SECONDS}
