"""What can be trained on a site, by name: each fits from the beginning and writes the files of a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.core.bundle import FORMAT_VERSION, METADATA_FILE, MODEL_FILES, Calibration
from classifier.core.dataset import Examples
from classifier.core.features import FeatureParams
from classifier.core.inference import Classifier, NetworkOutput, Runner, softmax
from classifier.core.patches import PatchParams
from classifier.fitting import calibrate, plain
from classifier.fitting.judge import hear, measured
from classifier.fitting.loop import EpochReport, Validation, fit, use_threads
from classifier.fitting.version_card import version_card

FloatArray = NDArray[np.float32]
OnEpoch = Callable[[EpochReport], None]
ShouldStop = Callable[[], bool]

CARD_FILE: Final = "MODEL_CARD.md"
CHECKPOINT: Final = "checkpoint"
LEAST_TO_CALIBRATE: Final = 20
CAUTIOUS: Final = Calibration(temperature=1.5, unsure_below=0.6, music_threshold=0.5)
"""How a version is read where too few clips were held out to know better."""
_LEAST_CONFIDENT_ACCURACY = 0.82
_MOST_MUSIC_LOST = 0.01
_N_OUTLIERS = 60
_OUTLIER_SECONDS = 8.0


class Fit(Protocol):
    """Fits from the beginning."""

    def __call__(
        self,
        train: Examples,
        valid: Examples,
        labels: Sequence[str],
        *,
        seed: int,
        epochs: int | None,
        work: Path,
        threads: int,
        on_epoch: OnEpoch,
        should_stop: ShouldStop,
        names: Sequence[str] | None = None,
    ) -> bool:
        """Write the files of a version into `work`; give False where `should_stop` ended it before.

        A call that was killed goes on after its last whole epoch from ``work/checkpoint``, which is left to
        the caller to remove.

        Parameters
        ----------
        train, valid
            What is learnt, and what temperature and threshold are fitted on.
        epochs
            None for the usual number.
        should_stop
            Asked before every batch.
        names
            Of the clips of `train`, for what the version remembers of them.
        """


@dataclass(frozen=True, slots=True)
class Architecture:
    """One way to classify.

    Attributes
    ----------
    title, explanation
        In words, for people who choose.
    epochs
        The usual number; None where there are none.
    needs
        What of a clip it works on.
    """

    title: str
    explanation: str
    epochs: int | None
    needs: Literal["columns", "summary"]
    fit: Fit


def _residual_cnn(
    train: Examples,
    valid: Examples,
    labels: Sequence[str],
    *,
    seed: int,
    epochs: int | None,
    work: Path,
    threads: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
    names: Sequence[str] | None = None,
) -> bool:
    from classifier.fitting.release import Recipe

    recipe = Recipe()
    shape = {
        "patches": asdict(recipe.patches),
        # One tower: a site's run is to end within the hour.
        "network": asdict(replace(recipe.network, towers=1)),
    }
    return _fit_network(
        "residual-cnn",
        shape,
        train,
        valid,
        labels,
        names=names,
        seed=seed,
        epochs=epochs,
        work=work,
        threads=threads,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )


def _efficientnet(
    train: Examples,
    valid: Examples,
    labels: Sequence[str],
    *,
    seed: int,
    epochs: int | None,
    work: Path,
    threads: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
    names: Sequence[str] | None = None,
) -> bool:
    return _fit_network(
        "efficientnet-b0",
        {"patches": asdict(PatchParams(hop_columns=64)), "network": {}},
        train,
        valid,
        labels,
        names=names,
        seed=seed,
        epochs=epochs,
        work=work,
        threads=threads,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )


def _fit_network(
    name: str,
    shape: Mapping[str, Any],
    train: Examples,
    valid: Examples,
    labels: Sequence[str],
    *,
    names: Sequence[str] | None,
    seed: int,
    epochs: int | None,
    work: Path,
    threads: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
) -> bool:
    use_threads(threads)
    import keras

    from classifier.fitting import devices, keras_files, outliers
    from classifier.fitting.feed import Feed
    from classifier.fitting.release import Recipe
    from classifier.fitting.stored import write_replay
    from classifier.releases import REPLAY_FILE

    recipe = Recipe()
    params = PatchParams(**shape["patches"])
    metadata = {"architecture": name, "labels": list(labels), **shape}
    course = replace(recipe.fit, epochs=epochs or ARCHITECTURES[name].epochs or recipe.fit.epochs)
    if name != "residual-cnn":
        course = replace(course, learning_rate=1e-3)
    identity = {
        **metadata,
        "fit": asdict(course),
        "seed": seed,
        "tracks": len(train),
        "backend": keras.backend.backend(),
    }
    sounds = outliers.synthesise(count=_N_OUTLIERS, seconds=_OUTLIER_SECONDS, params=params, seed=seed)
    with devices.shared() as share:
        model = keras_files.build(metadata, seed=seed)
        done = fit(
            model,
            Feed(train, sounds, n_labels=len(labels), patch_params=params, params=recipe.feed, seed=seed),
            course,
            checkpoint=work / CHECKPOINT,
            identity=json.dumps(identity),
            on_epoch=on_epoch,
            valid=Validation(valid, params) if len(valid) else None,
            should_stop=should_stop,
            share=share,
        )
    if not done:
        return False
    keras_files.write(model, work, metadata)
    weights = _digest(work / keras_files.WEIGHTS_FILE)
    extra = {
        **shape,
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "parameters": int(model.count_params()),
        "recipe": {"feed": asdict(recipe.feed), "fit": asdict(course)},
    }
    try:
        _complete(work, name, labels, train, valid, extra=extra, seed=seed, should_stop=should_stop)
        watched = _Watched(Classifier.load(work).network, should_stop)
        known = [str(i) for i in range(len(train))] if names is None else list(names)
        write_replay(work / REPLAY_FILE, watched, train, known, params)
    except _StoppedError:
        return False
    _amend(work, replay_sha256=_digest(work / REPLAY_FILE))
    return True


def _mfcc_knn(
    train: Examples,
    valid: Examples,
    labels: Sequence[str],
    *,
    seed: int,
    epochs: int | None,
    work: Path,
    threads: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
    names: Sequence[str] | None = None,
) -> bool:
    params = PatchParams()
    found = plain.neighbours(train, n_labels=len(labels), params=params, should_stop=should_stop)
    if found is None:
        return False
    work.mkdir(parents=True, exist_ok=True)
    (work / MODEL_FILES["mfcc-knn"]).write_bytes(found.to_bytes())
    return _completed(work, "mfcc-knn", labels, train, valid, seed=seed, should_stop=should_stop)


def _feature_mlp(
    train: Examples,
    valid: Examples,
    labels: Sequence[str],
    *,
    seed: int,
    epochs: int | None,
    work: Path,
    threads: int,
    on_epoch: OnEpoch,
    should_stop: ShouldStop,
    names: Sequence[str] | None = None,
) -> bool:
    found = plain.summary_mlp(
        train,
        valid,
        n_labels=len(labels),
        epochs=epochs or ARCHITECTURES["feature-mlp"].epochs or 1,
        seed=seed,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )
    if found is None:
        return False
    work.mkdir(parents=True, exist_ok=True)
    (work / MODEL_FILES["feature-mlp"]).write_bytes(found.to_bytes())
    return _completed(work, "feature-mlp", labels, train, valid, seed=seed, should_stop=should_stop)


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "residual-cnn": Architecture(
        title="The platform's network",
        explanation="A residual convolutional network on the mel spectrogram; the best one here. An epoch on "
        "1,000 clips takes about half a minute on two cores.",
        epochs=60,
        needs="columns",
        fit=_residual_cnn,
    ),
    "efficientnet-b0": Architecture(
        title="EfficientNet-B0",
        explanation="A well-known network for pictures, from scratch on the spectrogram. Ten times as large, "
        "several times slower, and with few clips usually worse.",
        epochs=30,
        needs="columns",
        fit=_efficientnet,
    ),
    "mfcc-knn": Architecture(
        title="Nearest neighbours of MFCCs",
        explanation="The method before networks: a clip is what the most similar known clips are. Ready at "
        "once, without training.",
        epochs=None,
        needs="columns",
        fit=_mfcc_knn,
    ),
    "feature-mlp": Architecture(
        title="Feature network",
        explanation="A small network on 57 summary features, as in many student projects. Learns in seconds, "
        "only from clips whose sound is here, and takes longer to answer.",
        epochs=60,
        needs="summary",
        fit=_feature_mlp,
    ),
}


class _StoppedError(Exception):
    """Somebody asked for the end."""


class _Watched:
    """A network that ends where it is asked to."""

    def __init__(self, network: Runner, should_stop: ShouldStop) -> None:
        self._network = network
        self._should_stop = should_stop

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Outputs of the network."""
        if self._should_stop():
            raise _StoppedError
        return self._network.run(inputs)


def _completed(
    work: Path,
    name: str,
    labels: Sequence[str],
    train: Examples,
    valid: Examples,
    *,
    seed: int,
    should_stop: ShouldStop,
) -> bool:
    try:
        extra = {"patches": asdict(PatchParams())}
        _complete(work, name, labels, train, valid, extra=extra, seed=seed, should_stop=should_stop)
    except _StoppedError:
        return False
    return True


def _complete(
    work: Path,
    name: str,
    labels: Sequence[str],
    train: Examples,
    valid: Examples,
    *,
    extra: Mapping[str, Any],
    seed: int,
    should_stop: ShouldStop,
) -> None:
    """Write metadata and card beside the model, calibrated on the validation part."""
    model = _digest(work / MODEL_FILES[name])
    counts = np.bincount(train.targets, minlength=len(labels)).tolist()
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": work.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "architecture": name,
        "labels": list(labels),
        "feature_version": FeatureParams().version,
        "features": asdict(FeatureParams()),
        "calibration": asdict(CAUTIOUS),
        "sha256": model,
        "backbone_sha256": model,
        "trained_on": {"tracks": len(train), "clips": dict(zip(labels, counts, strict=True))},
        **extra,
    }
    (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1, allow_nan=False), encoding="utf-8")

    def go_on() -> None:
        if should_stop():
            raise _StoppedError

    outputs, kept = hear(Classifier.load(work), valid, go_on)
    changed: dict[str, Any] = {}
    if len(kept) >= LEAST_TO_CALIBRATE:
        targets = valid.targets[kept]
        temperature = calibrate.fit_temperature(outputs.logits, targets)
        probabilities = softmax(outputs.logits / temperature)
        threshold = calibrate.fit_unsure_threshold(
            probabilities, targets, least_accuracy=_LEAST_CONFIDENT_ACCURACY
        )
        music = calibrate.fit_music_threshold(outputs.music, most_lost=_MOST_MUSIC_LOST)
        changed = {
            "calibration": asdict(Calibration(temperature, threshold, music)),
            "validation": measured(targets, probabilities, labels),
        }
    _amend(work, **changed)


def _amend(work: Path, **entries: Any) -> None:
    path = work / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(metadata, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (work / CARD_FILE).write_text(version_card(metadata), encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
