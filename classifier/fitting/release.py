"""From a data set and a seed to a release folder: fit, calibrate, measure, export."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import dataset, networks
from classifier.core.channels import ROBUSTNESS
from classifier.core.dataset import LogMelDataset
from classifier.core.evaluate import accuracy_at_coverage, evaluate
from classifier.core.features import FeatureParams
from classifier.core.inference import (
    FORMAT_VERSION,
    METADATA_FILE,
    MODEL_FILE,
    Calibration,
    Network,
    softmax,
)
from classifier.core.networks import WEIGHTS_FILE, ResidualCnnParams
from classifier.core.patches import PatchParams
from classifier.fitting import calibrate, outliers
from classifier.fitting.card import model_card
from classifier.fitting.feed import Feed, FeedParams
from classifier.fitting.loop import EpochReport, FitParams, fit, use_threads
from classifier.fitting.stored import Outputs, run, through_fixed, write_frozen, write_replay
from classifier.releases import FROZEN_FILE, REPLAY_FILE

FloatArray = NDArray[np.float32]

CARD_FILE = "MODEL_CARD.md"
LEAST_CONFIDENT_ACCURACY = 0.8
MOST_MUSIC_LOST = 0.01
EXPORT_TOLERANCE = 1e-4


class ExportError(Exception):
    """The exported network does not give what the trained one gives."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the data and the seed that decides a release."""

    patches: PatchParams = field(default_factory=PatchParams)
    network: ResidualCnnParams = field(default_factory=ResidualCnnParams)
    feed: FeedParams = field(default_factory=FeedParams)
    fit: FitParams = field(default_factory=FitParams)
    n_outliers: int = 200
    outlier_seconds: float = 13.0


def train_release(
    *,
    data: Path,
    out: Path,
    seed: int,
    recipe: Recipe = Recipe(),
    threads: int = 2,
    on_epoch: Callable[[EpochReport], None],
) -> Path:
    """Fit the platform's network on the train part and write a release folder.

    The work lies in a hidden folder beside `out` until it is whole: an interrupted call continues from its
    last epoch, and `out` is only ever a complete release.

    Raises
    ------
    DatasetError
        The data set cannot be read.
    ExportError
        LiteRT and Keras disagree.
    """
    use_threads(threads)
    whole = dataset.load(data)
    train = whole.examples(whole.part("train"))
    sounds = [
        outliers.synthesise(
            count=count, seconds=recipe.outlier_seconds, params=recipe.patches, seed=seed * 2 + held_out
        )
        for held_out, count in enumerate((recipe.n_outliers, recipe.n_outliers // 4))
    ]
    model = networks.residual_cnn(
        n_labels=len(whole.labels), patches=recipe.patches, params=recipe.network, seed=seed
    )
    feed = Feed(
        train,
        sounds[0],
        n_labels=len(whole.labels),
        patch_params=recipe.patches,
        params=recipe.feed,
        seed=seed,
    )
    work = out.parent / f".{out.name}.partial"
    fit(
        model,
        feed,
        recipe.fit,
        checkpoint=work / "checkpoint",
        identity=json.dumps({"recipe": asdict(recipe), "seed": seed, "tracks": len(train)}),
        on_epoch=on_epoch,
    )
    export(model, work / MODEL_FILE, recipe.patches)
    model.save_weights(work / WEIGHTS_FILE)
    metadata = {
        "name": out.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "parameters": int(model.count_params()),
        "recipe": asdict(recipe),
    }
    write_records(work, metadata, whole, sounds[1], recipe)
    _put_in_place(work, out)
    return out


def write_records(
    work: Path, head: dict[str, Any], whole: LogMelDataset, sounds: Sequence[FloatArray], recipe: Recipe
) -> None:
    """Measure the exported network in `work`; write its metadata, card and what it keeps of its clips.

    Parameters
    ----------
    head
        Entries of the metadata that say where the network comes from.
    sounds
        Held-out sounds that are not music.
    """
    metadata = _measure(work, whole, sounds, recipe) | head
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(model_card(metadata), encoding="utf-8")


def export(model: Any, path: Path, params: PatchParams) -> None:
    """Write a network as a LiteRT file that takes one patch at a time.

    Raises
    ------
    ExportError
        The file's outputs differ from the network's by more than 1e-4.
    """
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    signature = keras.InputSpec(
        shape=(1, params.n_mels, params.n_columns, 1), dtype="float32", name="patches"
    )
    model.export(path, format="litert", input_signature=[signature], verbose=False)
    inputs = np.random.default_rng(0).uniform(-2, 1, (4, params.n_mels, params.n_columns)).astype(np.float32)
    got = Network(path.read_bytes()).run(inputs)
    expected = model.predict(inputs[..., None], verbose=0)
    for name, value in (("logits", got.logits), ("music", got.music_logits), ("embedding", got.embeddings)):
        difference = float(np.abs(np.asarray(expected[name]).reshape(value.shape) - value).max())
        if difference > EXPORT_TOLERANCE:
            raise ExportError(f"The exported {name} differ from the network's by {difference:.1e}.")


def _measure(
    work: Path, whole: LogMelDataset, sounds: Sequence[FloatArray], recipe: Recipe
) -> dict[str, Any]:
    """Calibrate on the validation part, then measure on the test part, both through the exported file."""
    network = Network((work / MODEL_FILE).read_bytes())
    params = recipe.patches
    train, valid, test = (whole.examples(whole.part(part)) for part in ("train", "valid", "test"))
    names = {part: [whole.clips[row].name for row in whole.part(part)] for part in ("train", "test")}
    held_out = run(network, valid.db, params)
    temperature = calibrate.fit_temperature(held_out.logits, valid.targets)
    calibration = Calibration(
        temperature=temperature,
        unsure_below=calibrate.fit_unsure_threshold(
            softmax(held_out.logits / temperature), valid.targets, least_accuracy=LEAST_CONFIDENT_ACCURACY
        ),
        music_threshold=calibrate.fit_music_threshold(held_out.music, most_lost=MOST_MUSIC_LOST),
    )
    outputs = run(network, test.db, params)
    clean = softmax(outputs.logits / temperature)
    coverage, accuracy = accuracy_at_coverage(test.targets, clean)
    heard = {name: run(network, through_fixed(test.db, name, params), params) for name in ROBUSTNESS}
    channels = {
        name: _under(spoilt, test.targets, clean.argmax(axis=1), calibration)
        for name, spoilt in heard.items()
    }
    refused = run(network, sounds, params).music < calibration.music_threshold
    write_replay(work / REPLAY_FILE, network, train, names["train"], params)
    write_frozen(work / FROZEN_FILE, test, names["test"], outputs, heard)
    weights = _digest(work / WEIGHTS_FILE)
    return {
        "format_version": FORMAT_VERSION,
        "architecture": "residual-cnn",
        "labels": list(whole.labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "patches": asdict(params),
        "network": asdict(recipe.network),
        "calibration": asdict(calibration),
        "sha256": _digest(work / MODEL_FILE),
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "replay_sha256": _digest(work / REPLAY_FILE),
        "frozen_sha256": _digest(work / FROZEN_FILE),
        "trained_on": {
            "set": "GTZAN, filtered split (Kereliuk, Sturm and Larsen, 2015), train part",
            "tracks": len(train),
        },
        "validation": asdict(evaluate(valid.targets, softmax(held_out.logits / temperature), whole.labels)),
        "test": asdict(evaluate(test.targets, clean, whole.labels)),
        "test_accuracy_at_60_percent_coverage": float(accuracy[int(np.searchsorted(coverage, 0.6))]),
        "test_predictions": {
            name: [whole.labels[int(row.argmax())], round(float(row.max()), 4)]
            for name, row in zip(names["test"], clean, strict=True)
        },
        "test_channels": {name: row for name, row in channels.items() if len(ROBUSTNESS[name]) == 1},
        "robustness": _summary(channels),
        "outliers_refused": float(refused.mean()),
    }


def _under(
    heard: Outputs, targets: NDArray[np.intp], clean: NDArray[np.intp], calibration: Calibration
) -> dict[str, Any]:
    probabilities = softmax(heard.logits / calibration.temperature)
    music = heard.music >= calibration.music_threshold
    sure = music & (probabilities.max(axis=1) >= calibration.unsure_below)
    verdict = probabilities.argmax(axis=1)
    right = verdict == targets
    return {
        "accuracy": float(right.mean()),
        "confident": float(sure.mean()),
        "confident_accuracy": float(right[sure].mean()) if sure.any() else None,
        "agreement": float((verdict == clean).mean()),
        "agreement_or_unsure": float(((verdict == clean) | ~sure).mean()),
    }


def _summary(channels: dict[str, dict[str, Any]]) -> dict[str, Any]:
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
        "channels": channels,
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _put_in_place(work: Path, out: Path) -> None:
    shutil.rmtree(work / "checkpoint")
    former = out.parent / f".{out.name}.former"
    if out.exists():
        out.replace(former)
    work.replace(out)
    shutil.rmtree(former, ignore_errors=True)
