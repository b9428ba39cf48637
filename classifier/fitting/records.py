"""Measuring a network on its way to a release, and writing down what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import Examples, LogMelDataset
from classifier.core.evaluate import evaluate
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
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import FloatArray, PatchParams
from classifier.fitting import calibrate, judge
from classifier.fitting.card import model_card
from classifier.fitting.stored import Outputs, run, through_fixed, write_frozen, write_replay
from classifier.releases import FROZEN_FILE, REPLAY_FILE

CARD_FILE = "MODEL_CARD.md"
LEAST_CONFIDENT_ACCURACY = 0.82
"""Two points above the 80 % that are promised: the threshold will meet clips it was not fitted on."""
MOST_MUSIC_LOST = 0.01
_CHANNELS_PER_CLIP = 7


class Material:
    """The clips of a release, by what they are for.

    Attributes
    ----------
    train, valid, fitted, test
        The parts of the filtered split; ``fitted`` is train and valid together.
    fitted_names, test_names
        Of the clips.
    sounds
        Held-out sounds that are not music.
    """

    def __init__(self, whole: LogMelDataset, *, sounds: Sequence[FloatArray]) -> None:
        train, valid, test = (whole.part(part) for part in ("train", "valid", "test"))
        self.labels = whole.labels
        self.train, self.valid, self.test = (whole.examples(rows) for rows in (train, valid, test))
        self.fitted = whole.examples(train + valid)
        self.fitted_names = [whole.clips[row].name for row in train + valid]
        self.test_names = [whole.clips[row].name for row in test]
        self.sounds = sounds


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What networks that have not seen the validation part say about it, and how they fare on the test part.

    Attributes
    ----------
    calibration
        How the outputs of the first of them, joined, are to be read.
    validation
        Entry of the metadata: the joined networks on the validation part.
    seeds
        Entry of the metadata: each network by itself.
    """

    calibration: Calibration
    validation: dict[str, Any]
    seeds: dict[str, Any]


def rehearse(joined: Runner, singles: Sequence[Runner], material: Material, params: PatchParams) -> Rehearsal:
    """Fit the calibration on the validation part, clean and under channels, and measure single networks.

    The temperature is fitted on clean clips, of which the calibration error is told. The threshold must hold
    under the fixed channels as well; each clip meets a third of them.
    """
    valid = material.valid
    clean = run(joined, valid.db, params)
    temperature = calibrate.fit_temperature(clean.logits, valid.targets)
    spoilt_logits, spoilt_targets = [], []
    step = len(ROBUSTNESS) // _CHANNELS_PER_CLIP
    for place, name in enumerate(ROBUSTNESS):
        rows = list(range(place % step, len(valid), step))
        heard = run(joined, through_fixed([valid.db[row] for row in rows], name, params), params)
        spoilt_logits.append(heard.logits)
        spoilt_targets.append(valid.targets[rows])
    conditions = (
        (clean.logits, valid.targets),
        (np.concatenate(spoilt_logits), np.concatenate(spoilt_targets)),
    )
    calibration = Calibration(
        temperature=temperature,
        unsure_below=max(
            calibrate.fit_unsure_threshold(
                softmax(logits / temperature), targets, least_accuracy=LEAST_CONFIDENT_ACCURACY
            )
            for logits, targets in conditions
        ),
        music_threshold=calibrate.fit_music_threshold(clean.music, most_lost=MOST_MUSIC_LOST),
    )
    accuracies = {
        part: [_accuracy(run(single, examples.db, params), examples) for single in singles]
        for part, examples in (("validation", valid), ("test", material.test))
    }
    return Rehearsal(
        calibration=calibration,
        validation=asdict(evaluate(valid.targets, softmax(clean.logits / temperature), material.labels)),
        seeds={
            "networks": len(singles),
            "trained_on": "train part",
            **{
                part: {
                    "accuracies": values,
                    "mean": float(np.mean(values)),
                    "deviation": float(np.std(values)),
                }
                for part, values in accuracies.items()
            },
        },
    )


def _accuracy(outputs: Outputs, examples: Examples) -> float:
    return float((outputs.logits.argmax(axis=1) == examples.targets).mean())


def write_records(work: Path, origin: Mapping[str, Any], rehearsal: Rehearsal, material: Material) -> None:
    """Measure the exported network in `work`; write its metadata, card and what it keeps of its clips.

    Parameters
    ----------
    origin
        Entries of the metadata that say where the network comes from, its shape and its patches.
    """
    metadata = {**_measure(work, PatchParams(**origin["patches"]), rehearsal, material), **origin}
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(model_card(metadata), encoding="utf-8")


def _measure(work: Path, params: PatchParams, rehearsal: Rehearsal, material: Material) -> dict[str, Any]:
    network = Network((work / MODEL_FILE).read_bytes())
    test, calibration, labels = material.test, rehearsal.calibration, material.labels
    outputs = run(network, test.db, params)
    clean = softmax(outputs.logits / calibration.temperature)
    heard = {name: run(network, through_fixed(test.db, name, params), params) for name in ROBUSTNESS}
    channels = {
        name: judge.under(spoilt, test.targets, clean.argmax(axis=1), calibration)
        for name, spoilt in heard.items()
    }
    refused = run(network, material.sounds, params).music < calibration.music_threshold
    write_replay(work / REPLAY_FILE, network, material.fitted, material.fitted_names, params)
    write_frozen(work / FROZEN_FILE, test, material.test_names, outputs, heard)
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
        "frozen_sha256": _digest(work / FROZEN_FILE),
        "trained_on": {
            "set": "GTZAN, filtered split (Kereliuk, Sturm and Larsen, 2015), train and validation parts",
            "tracks": len(material.fitted),
        },
        "validation": rehearsal.validation,
        "seeds": rehearsal.seeds,
        "test": asdict(evaluate(test.targets, clean, labels)),
        "test_accuracy_at_60_percent_coverage": judge.at_coverage(test.targets, clean),
        "test_predictions": judge.predictions(material.test_names, clean, labels),
        "test_channels": {name: row for name, row in channels.items() if len(ROBUSTNESS[name]) == 1},
        "robustness": judge.summary(channels),
        "outliers_refused": float(refused.mean()),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
