"""How good a version is, measured on material that it never learnt: figures for its metadata.

What there is no material for is said to be not measured, with the reason, and is never guessed.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.artifact import MODEL_FILES, Calibration, architecture_of, file_in
from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import Examples
from classifier.core.features import extract
from classifier.core.inference import Classifier, pool, softmax
from classifier.core.metrics import accuracy_at_coverage, evaluate
from classifier.fitting.artifact.embeddings import Outputs, through_fixed
from classifier.fitting.networks.regression import Affine
from classifier.releases import EVALUATION_FEATURES_FILE, EvaluationFeatures

FloatArray = NDArray[np.float32]
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
CHANNEL_CLIPS: Final = 60
"""So many of the test clips, spread evenly, pass through the channels, whose simulation takes longest."""
_SPEED_RUNS = 5
_SPEED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips with known labels that a version did not learn.

    Attributes
    ----------
    names
        Of the clips.
    examples
        Their columns and, for versions that work on them, their summary features.
    """

    names: Sequence[str]
    examples: Examples


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationOutputs:
    """What a version makes of the frozen test clips: clean, and some or all after channels of `ROBUSTNESS`.

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


def judge(
    folder: Path,
    *,
    test: Clips | None = None,
    holdout: Clips | None = None,
    check_stopped: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Measure a version on everything there is.

    A version that keeps the frozen test set was measured on it when its last layer was fitted, see
    `networks.head.refit_head`; others are measured on `test`.

    Parameters
    ----------
    folder
        A version, complete but for these figures.
    test
        The clips of the frozen test set, targets as places in the version's labels.
    holdout
        Contributed clips that nobody learnt.
    go_on
        Called between clips; may raise to end it all.

    Returns
    -------
    dict
        The entries ``test``, ``test_predictions``, ``test_truths``, ``test_accuracy_at_60_percent_coverage``,
        ``test_channels``, ``robustness``, ``frozen_sha256`` (of what was kept of the test clips for versions
        with another last layer), ``holdout``, ``holdout_predictions``, ``speed``, ``size`` as far as
        measured, and ``not_measured``: the reason by entry for the others.

    Raises
    ------
    ReleaseError
        The version cannot be loaded.
    """
    classifier = Classifier.load(folder)
    found: dict[str, Any] = {
        "speed": speed(classifier),
        "size": {
            "bytes": (folder / MODEL_FILES[architecture_of(classifier.metadata)]).stat().st_size,
            "parameters": classifier.metadata.get("parameters"),
        },
    }
    missing: dict[str, str] = {}
    if file_in(folder, EVALUATION_FEATURES_FILE).exists() and "test" in classifier.metadata:
        found |= {key: classifier.metadata[key] for key in FIGURES if key in classifier.metadata}
    elif test is None or not len(test.examples):
        missing["test"] = missing["robustness"] = "The clips of the frozen test set are not on this site."
    else:
        heard = predict_test_clips(classifier, test, check_stopped)
        if len(heard.targets):
            found |= figures(heard, classifier.labels, classifier.calibration)
            if "weights_sha256" in classifier.metadata:
                found["frozen_sha256"] = keep_evaluation_features(folder, heard)
        else:
            missing["test"] = "The test clips lack the features that this method needs."
        if not heard.channels:
            missing["robustness"] = "The features that this method needs cannot be passed through channels."
    if holdout is None or not len(holdout.examples):
        missing["holdout"] = "No contributed clips were held out."
    else:
        outputs, kept = predict_clips(classifier, holdout.examples, check_stopped)
        if len(kept):
            names = [holdout.names[row] for row in kept]
            found |= _holdout(outputs, holdout.examples.targets[kept], names, classifier)
        else:
            missing["holdout"] = "The held-out clips lack the features that this method needs."
    return found | {"not_measured": missing}


def figures(heard: EvaluationOutputs, labels: Sequence[str], calibration: Calibration) -> dict[str, Any]:
    """Figures on the frozen test set, under the keys that metadata hold them under."""
    targets = heard.targets
    clean = softmax(heard.clean.logits / calibration.temperature)
    found = {
        "test": measured(targets, clean, labels),
        "test_accuracy_at_60_percent_coverage": at_coverage(targets, clean),
        "test_predictions": predictions(heard.names, clean, labels),
        "test_truths": {name: labels[target] for name, target in zip(heard.names, targets, strict=True)},
    }
    if heard.channels:
        verdicts, chosen = clean.argmax(axis=1), heard.channel_rows
        rows = {
            name: under(degraded, targets[chosen], verdicts[chosen], calibration)
            for name, degraded in heard.channels.items()
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
    """Accuracy of the most confident 60 % of the answers."""
    coverage, accuracy = accuracy_at_coverage(targets, probabilities)
    return float(accuracy[min(int(np.searchsorted(coverage, COVERAGE)), len(accuracy) - 1)])


def predictions(
    names: Sequence[str], probabilities: NDArray[np.float64], labels: Sequence[str]
) -> dict[str, list[Any]]:
    """What was said about each clip: a label and how sure it was."""
    return {
        name: [labels[int(row.argmax())], round(float(row.max()), 4)]
        for name, row in zip(names, probabilities, strict=True)
    }


def under(heard: Outputs, targets: IntArray, clean: IntArray, calibration: Calibration) -> dict[str, Any]:
    """Figures under one channel, `clean` being the verdicts without it."""
    probabilities = softmax(heard.logits / calibration.temperature)
    music = heard.music >= calibration.music_threshold
    sure = music & (probabilities.max(axis=1) >= calibration.unsure_below)
    return shares(probabilities.argmax(axis=1), sure, targets, clean)


def shares(
    verdict: IntArray, sure: NDArray[np.bool_], targets: IntArray, clean: IntArray
) -> dict[str, float | None]:
    """How many verdicts are right, sure, and those of the clean clips; all (n_clips,)."""
    right = verdict == targets
    return {
        "accuracy": float(right.mean()),
        "confident": float(sure.mean()),
        "confident_accuracy": float(right[sure].mean()) if sure.any() else None,
        "agreement": float((verdict == clean).mean()),
        "agreement_or_unsure": float(((verdict == clean) | ~sure).mean()),
    }


def summary(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of all channels in one; confident answers are counted over all of them together."""
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


def from_evaluation_features(frozen: EvaluationFeatures, head: Affine) -> EvaluationOutputs:
    """What a backbone with a given head makes of the frozen set: nothing but the logits is computed."""
    return EvaluationOutputs(
        names=frozen.names,
        targets=frozen.targets,
        clean=_answered(frozen.embeddings, frozen.music, head),
        # How much music a network hears in a spoilt clip was not kept; robustness is about the genre.
        channels={
            name: _answered(embeddings, np.ones_like(frozen.music), head)
            for name, embeddings in zip(frozen.channel_names, frozen.channel_embeddings, strict=True)
        },
        channel_rows=np.arange(len(frozen.names)),
    )


def predict_clips(
    classifier: Classifier, examples: Examples, check_stopped: Callable[[], None] = lambda: None
) -> tuple[Outputs, IntArray]:
    """Pooled outputs of clips, and which of them could be heard: not those whose features are not enough."""
    rows, kept = [], []
    for row in range(len(examples)):
        check_stopped()
        summed = None if examples.summary is None else examples.summary[row]
        if summed is not None and not np.isfinite(summed).all():
            summed = None
        cut = classifier.stretches(examples.db[row], summary=summed)
        if cut is not None:
            # Stored decibels are relative, so silence cannot be told; the clips are music throughout.
            rows.append(pool(classifier.network.run(cut.inputs), np.ones(len(cut.inputs), np.float32)))
            kept.append(row)
    if not rows:
        empty = np.zeros((0, len(classifier.labels)), np.float32)
        return Outputs(empty, np.zeros(0, np.float32), empty), np.zeros(0, np.intp)
    return Outputs(
        logits=np.stack([row.logits for row in rows]),
        music=np.array([row.music for row in rows], dtype=np.float32),
        embeddings=np.stack([row.embedding for row in rows]),
    ), np.array(kept, dtype=np.intp)


def predict_test_clips(
    classifier: Classifier, test: Clips, check_stopped: Callable[[], None] = lambda: None
) -> EvaluationOutputs:
    """What a version makes of the test clips: clean, and unless it needs the sound itself, under channels."""
    clean, kept = predict_clips(classifier, test.examples, check_stopped)
    names, targets = [test.names[row] for row in kept], test.examples.targets[kept]
    channels: dict[str, Outputs] = {}
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), CHANNEL_CLIPS)).astype(np.intp))
    if not classifier.needs_samples and len(kept):
        tracks = [test.examples.db[row] for row in chosen]
        for name in ROBUSTNESS:
            check_stopped()
            degraded = through_fixed(tracks, name, classifier.patch_params)
            channels[name] = predict_clips(classifier, Examples(degraded, targets[chosen]), check_stopped)[0]
    return EvaluationOutputs(names, targets, clean, channels, chosen)


def keep_evaluation_features(folder: Path, heard: EvaluationOutputs) -> str:
    """Write the clean test clips as a network hears them, for versions with another head; give the hash."""
    clean = heard.clean
    np.savez_compressed(
        folder / EVALUATION_FEATURES_FILE,
        names=np.array(heard.names, dtype=np.str_),
        targets=heard.targets.astype(np.int16),
        embeddings=clean.embeddings.astype(np.float16),
        music=clean.music,
        channel_names=np.array([], dtype=np.str_),
        channel_embeddings=np.zeros((0, *clean.embeddings.shape), dtype=np.float16),
    )
    return hashlib.sha256((folder / EVALUATION_FEATURES_FILE).read_bytes()).hexdigest()


def speed(classifier: Classifier) -> dict[str, float]:
    """Milliseconds for a clip of 30 s on one core, from features to verdict; the median of a few runs."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, int(_SPEED_SECONDS * classifier.patch_params.sample_rate))
    heard = extract(samples.astype(np.float32))
    taken = []
    for _ in range(_SPEED_RUNS + 1):
        began = time.perf_counter()
        classifier.predict(
            heard.mel_power, duration=heard.duration, samples=np.asarray(samples, dtype=np.float32)
        )
        taken.append(time.perf_counter() - began)
    # The first run makes the interpreter.
    return {"milliseconds": round(1000 * float(np.median(taken[1:])), 2), "seconds_of_sound": _SPEED_SECONDS}


def _holdout(
    outputs: Outputs, targets: IntArray, names: Sequence[str], classifier: Classifier
) -> dict[str, Any]:
    probabilities = softmax(outputs.logits / classifier.calibration.temperature)
    return {
        "holdout": measured(targets, probabilities, classifier.labels),
        "holdout_predictions": predictions(names, probabilities, classifier.labels),
    }


def _answered(embeddings: FloatArray, music: FloatArray, head: Affine) -> Outputs:
    return Outputs(np.asarray(head(embeddings), dtype=np.float32), music, embeddings)
