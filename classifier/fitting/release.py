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

from classifier.core import dataset, networks, patches
from classifier.core.channels import CHANNELS
from classifier.core.dataset import LogMelDataset
from classifier.core.evaluate import accuracy_at_coverage, evaluate
from classifier.core.features import FeatureParams
from classifier.core.inference import (
    FORMAT_VERSION,
    METADATA_FILE,
    MODEL_FILE,
    Calibration,
    Network,
    pool,
    softmax,
)
from classifier.core.networks import WEIGHTS_FILE, ResidualCnnParams
from classifier.core.patches import PatchParams
from classifier.fitting import calibrate, outliers
from classifier.fitting.card import model_card
from classifier.fitting.feed import Feed, FeedParams
from classifier.fitting.loop import EpochReport, FitParams, fit, use_threads

FloatArray = NDArray[np.float32]

CARD_FILE = "MODEL_CARD.md"
LEAST_CONFIDENT_ACCURACY = 0.8
MOST_MUSIC_LOST = 0.01
EXPORT_TOLERANCE = 1e-4
CHANNEL_SEED = 2026


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


@dataclass(frozen=True, slots=True)
class Outputs:
    """Outputs for a set of tracks: (n, n_labels) pooled logits and (n,) probability of music."""

    logits: FloatArray
    music: FloatArray


def run(network: Network, tracks: Sequence[FloatArray], params: PatchParams) -> Outputs:
    """Outputs per track for (n_mels, n_columns) decibels."""
    pooled = []
    for db in tracks:
        inputs = patches.cut(db, params).inputs
        # The set's decibels are relative, so silence cannot be told; its clips are music throughout.
        pooled.append(pool(network.run(inputs), np.ones(len(inputs), dtype=np.float32)))
    return Outputs(
        logits=np.stack([track.logits for track in pooled]),
        music=np.array([track.music for track in pooled], dtype=np.float32),
    )


def through_channel(tracks: Sequence[FloatArray], name: str, *, dynamic_range_db: float) -> list[FloatArray]:
    """The same tracks after one simulated channel, with a fixed seed per track."""
    changed = []
    for index, db in enumerate(tracks):
        power = CHANNELS[name](patches.db_to_power(db), np.random.default_rng([CHANNEL_SEED, index]))
        changed.append(patches.power_to_db(power, float(power.max()) * 10 ** (-dynamic_range_db / 10)))
    return changed


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
    metadata = _measure(work, whole, sounds[1], recipe)
    metadata |= {
        "name": out.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "parameters": int(model.count_params()),
        "recipe": asdict(recipe),
    }
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(model_card(metadata), encoding="utf-8")
    _put_in_place(work, out)
    return out


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
    valid = whole.examples(whole.part("valid"))
    test = whole.examples(whole.part("test"))
    held_out = run(network, valid.db, recipe.patches)
    temperature = calibrate.fit_temperature(held_out.logits, valid.targets)
    calibration = Calibration(
        temperature=temperature,
        unsure_below=calibrate.fit_unsure_threshold(
            softmax(held_out.logits / temperature), valid.targets, least_accuracy=LEAST_CONFIDENT_ACCURACY
        ),
        music_threshold=calibrate.fit_music_threshold(held_out.music, most_lost=MOST_MUSIC_LOST),
    )

    def probabilities(tracks: Sequence[FloatArray]) -> NDArray[np.float64]:
        return softmax(run(network, tracks, recipe.patches).logits / temperature)

    clean = probabilities(test.db)
    coverage, accuracy = accuracy_at_coverage(test.targets, clean)
    channels = {}
    for name in CHANNELS:
        heard = probabilities(
            through_channel(test.db, name, dynamic_range_db=recipe.patches.dynamic_range_db)
        )
        sure = heard.max(axis=1) >= calibration.unsure_below
        right = heard.argmax(axis=1) == test.targets
        channels[name] = {
            "accuracy": float(right.mean()),
            "confident": float(sure.mean()),
            "confident_accuracy": float(right[sure].mean()) if sure.any() else None,
        }
    refused = run(network, sounds, recipe.patches).music < calibration.music_threshold
    return {
        "format_version": FORMAT_VERSION,
        "labels": list(whole.labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "patches": asdict(recipe.patches),
        "network": asdict(recipe.network),
        "calibration": asdict(calibration),
        "sha256": _digest(work / MODEL_FILE),
        "weights_sha256": _digest(work / WEIGHTS_FILE),
        "trained_on": {
            "set": "GTZAN, filtered split (Kereliuk, Sturm and Larsen, 2015), train part",
            "tracks": len(whole.part("train")),
        },
        "validation": asdict(evaluate(valid.targets, softmax(held_out.logits / temperature), whole.labels)),
        "test": asdict(evaluate(test.targets, clean, whole.labels)),
        "test_accuracy_at_60_percent_coverage": float(accuracy[int(np.searchsorted(coverage, 0.6))]),
        "test_channels": channels,
        "outliers_refused": float(refused.mean()),
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
