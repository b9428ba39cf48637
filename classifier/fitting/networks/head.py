"""Quick learning: a new last layer on a network that stays as it is, from stored embeddings.

The embeddings that the version remembers of its own clips are replayed beside those of the new ones, so that
what it knew is not forgotten (Rebuffi et al., iCaRL, CVPR 2017, keep clips; here embeddings are enough).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.artifact import (
    METADATA_FILE,
    MODEL_FILE,
    Calibration,
    ReleaseError,
    architecture_of,
    backbone_of,
    file_in,
    read_metadata,
)
from classifier.core.inference import softmax
from classifier.core.metrics import evaluate
from classifier.fitting.artifact import keras_files
from classifier.fitting.artifact.version_card import CARD_FILE, version_card
from classifier.fitting.evaluation import calibration
from classifier.fitting.evaluation.figures import figures, from_evaluation_features
from classifier.fitting.evaluation.label_noise import Groups, balanced_shares, grouped_folds
from classifier.fitting.networks.regression import Affine, fit_affine
from classifier.releases import (
    EVALUATION_FEATURES_FILE,
    REPLAY_FILE,
    Replay,
    read_evaluation_features,
    read_replay,
)

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

NEW_CLIP: Final = 3.0
"""How much a new clip counts beside one that the network itself was fitted on: those are told apart with ease
and would else have the only say about a genre."""
PULL: Final = 0.5
NEW_GENRE_PULL: Final = 0.01
_LEAST_CONFIDENT_ACCURACY = 0.82
_LEAST_TO_CALIBRATE = 20
_FOLDS = 4
# How many clips a release's own calibration is taken to stand on, where it does not say.
_USUAL_VALIDATION = 200


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a head is fitted on: rows of embeddings with targets, how much each counts, and which are new."""

    rows: FloatArray
    targets: IntArray
    weights: NDArray[np.float64]
    is_new: NDArray[np.bool_]

    def without(self, left_out: NDArray[np.bool_]) -> Lesson:
        kept = ~left_out
        return Lesson(self.rows[kept], self.targets[kept], self.weights[kept], self.is_new[kept])


def refit_head(
    base: Path,
    embeddings: FloatArray,
    targets: IntArray,
    labels: Sequence[str],
    *,
    out: Path,
    seed: int = 0,
    names: Sequence[str] | None = None,
    groups: Groups | None = None,
    forget: Collection[str] = (),
    threads: int = 1,
) -> Path:
    """Fit a new last layer and write a complete version with it.

    Every genre counts as much as every other, however many clips of it came, so that what people happen to
    contribute does not become what is expected of music. Old genres are pulled towards the present layer,
    the less the more new clips there are; new ones start from nothing.

    Parameters
    ----------
    base
        Folder of the version to start from.
    embeddings
        (n, n_embedding) of the new clips by this version's network, pooled over each clip.
    targets
        (n,) places in `labels`.
    labels
        Those of the version in their order, then new genres.
    out
        Folder for the result; it must not hold one yet.
    names
        Of the clips, to be remembered by. A clip that is remembered already is taken as it is given now.
    groups
        As for `noise.out_of_fold`; for the calibration.
    forget
        Names of remembered clips that are not to be used any more.
    threads
        For Keras.

    Raises
    ------
    ReleaseError
        The version cannot be loaded, remembers nothing, or has no last layer of this kind.
    ValueError
        Shapes, targets or labels do not fit.
    ExportError
        LiteRT and Keras disagree.
    """
    metadata = read_metadata(base)
    if MODEL_FILE not in {path.name for path in base.iterdir()} or "weights_sha256" not in metadata:
        raise ReleaseError(f"{metadata['name']} is no network, so it has no last layer to be fitted.")
    names = [f"{i}" for i in range(len(embeddings))] if names is None else list(names)
    remembered = _without(read_replay(base), {*names, *forget})
    _check(embeddings, targets, labels, metadata, remembered)
    keras_files.use_threads(threads)
    network = keras_files.load(base)
    kernel, biases = (np.asarray(w, dtype=np.float64) for w in network.get_layer("logits").get_weights())
    lesson = lesson_of(remembered, embeddings, targets)
    present = Affine(kernel, biases)
    head = fit_head(lesson, present, len(labels))
    calibration, checked = _calibrated(
        lesson, present, head, groups=groups, metadata=metadata, labels=labels, seed=seed
    )

    out.mkdir(parents=True, exist_ok=True)
    made = keras_files.with_head(network, metadata | {"labels": list(labels)}, head)
    keras_files.write(made, out, metadata | {"labels": list(labels)})
    grown = _grown(remembered, embeddings, targets, names)
    np.savez_compressed(out / REPLAY_FILE, **grown)  # type: ignore[arg-type]  # as in the stubs of savez
    result = {
        **{key: metadata[key] for key in _KEPT if key in metadata},
        "name": out.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "architecture": architecture_of(metadata),
        "labels": list(labels),
        "calibration": asdict(calibration),
        "backbone_sha256": backbone_of(metadata),
        "parameters": int(made.count_params()),
        "sha256": digest(out / MODEL_FILE),
        "weights_sha256": digest(out / keras_files.WEIGHTS_FILE),
        "replay_sha256": digest(out / REPLAY_FILE),
        "cross_validation": checked,
        "trained_on": _trained_on(metadata, remembered, targets, labels),
    }
    features = file_in(base, EVALUATION_FEATURES_FILE)
    if features.exists():
        frozen = read_evaluation_features(base)
        shutil.copyfile(features, out / EVALUATION_FEATURES_FILE)
        result["frozen_sha256"] = metadata["frozen_sha256"]
        result |= figures(from_evaluation_features(frozen, head), labels, calibration)
    (out / METADATA_FILE).write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (out / CARD_FILE).write_text(version_card(result), encoding="utf-8")
    return out


_KEPT = (
    "format_version",
    "feature_version",
    "features",
    "patches",
    "network",
    "descriptor_mlp",
    "recipe",
    "outliers_refused",
)


def lesson_of(remembered: Replay, embeddings: FloatArray, targets: IntArray) -> Lesson:
    """Put remembered and new clips together; the variants of one remembered clip share its weight."""
    variants = np.bincount(remembered.clip)[remembered.clip] if len(remembered.clip) else np.zeros(0)
    return Lesson(
        rows=np.vstack([remembered.embeddings, embeddings]).astype(np.float32),
        targets=np.concatenate([remembered.targets, targets]).astype(np.intp),
        weights=np.concatenate([1.0 / variants, np.full(len(embeddings), NEW_CLIP)]),
        is_new=np.arange(len(remembered.clip) + len(embeddings)) >= len(remembered.clip),
    )


def fit_head(lesson: Lesson, present: Affine, n_labels: int) -> Affine:
    """The last layer for `n_labels`, of which the first ones are those of the present layer."""
    known = len(present.biases)
    start = Affine(
        # Where nothing is known of a genre, its logit is the mean of the others'.
        np.hstack([present.weights, np.repeat(present.weights.mean(1, keepdims=True), n_labels - known, 1)]),
        np.concatenate([present.biases, np.full(n_labels - known, present.biases.mean())]),
    )
    replayed = lesson.weights[~lesson.is_new].sum()
    penalty = np.full(n_labels, PULL * replayed / max(lesson.weights.sum(), 1e-9))
    penalty[known:] = NEW_GENRE_PULL
    shares = balanced_shares(lesson.targets, lesson.weights, n_labels)
    return fit_affine(lesson.rows, lesson.targets, shares=shares, start=start, penalty=penalty)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check(
    embeddings: FloatArray,
    targets: IntArray,
    labels: Sequence[str],
    metadata: Mapping[str, Any],
    remembered: Replay,
) -> None:
    known = metadata["labels"]
    if list(labels[: len(known)]) != known or len(set(labels)) != len(labels):
        raise ValueError("the labels must be the version's own, then new ones")
    width = remembered.embeddings.shape[1]
    if embeddings.shape != (len(targets), width) or not np.isfinite(embeddings).all():
        raise ValueError(f"expected finite ({len(targets)}, {width}) embeddings, got {embeddings.shape}")
    if len(targets) == 0 or not 0 <= targets.min() <= targets.max() < len(labels):
        raise ValueError("there must be new clips, and their targets must be labels")
    if missing := set(range(len(known), len(labels))) - set(targets.tolist()):
        raise ValueError(f"no clip of {', '.join(labels[i] for i in sorted(missing))}")


def _without(replay: Replay, dropped: Collection[str]) -> Replay:
    kept = ~np.isin(np.asarray(replay.names)[replay.clip], list(dropped))
    clips, places = np.unique(replay.clip[kept], return_inverse=True)
    return replace(
        replay,
        embeddings=replay.embeddings[kept],
        targets=replay.targets[kept],
        clip=places.astype(np.intp),
        variant=replay.variant[kept],
        names=[replay.names[i] for i in clips],
    )


def _grown(
    replay: Replay, embeddings: FloatArray, targets: IntArray, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    first = len(replay.names)
    return {
        "embeddings": np.vstack([replay.embeddings, embeddings]).astype(np.float16),
        "targets": np.concatenate([replay.targets, targets]).astype(np.int16),
        "clip": np.concatenate([replay.clip, np.arange(first, first + len(names))]).astype(np.int32),
        "variant": np.concatenate([replay.variant, np.zeros(len(names))]).astype(np.uint8),
        "names": np.array([*replay.names, *names], dtype=np.str_),
    }


def _calibrated(
    lesson: Lesson,
    present: Affine,
    head: Affine,
    *,
    groups: Groups | None,
    metadata: Mapping[str, Any],
    labels: Sequence[str],
    seed: int,
) -> tuple[Calibration, dict[str, Any] | None]:
    """How the new head is to be read, and how it fared on new clips that it had not learnt.

    Remembered clips cannot tell how sure the head may be: the network knows them too well. The version's own
    calibration, carried over by how much larger the logits have become, can. New clips, out of fold, can make
    it more careful, weighed by how many they are; never surer, because what one person contributes is often
    easier to tell than music at large.
    """
    before = Calibration(**metadata["calibration"])
    known = len(present.biases)
    larger = _spread(head(lesson.rows)[:, :known]) / _spread(present(lesson.rows))
    temperature = float(np.clip(before.temperature * larger, 0.05, 50.0))
    new = np.flatnonzero(lesson.is_new)
    targets = lesson.targets[new]
    if len(new) < _LEAST_TO_CALIBRATE:
        return replace(before, temperature=temperature), None
    logits = np.zeros((len(new), len(labels)))
    folds = grouped_folds(targets, groups, _FOLDS, seed=seed)
    for fold in np.unique(folds):
        inside = folds == fold
        left_out = np.zeros(len(lesson.rows), dtype=np.bool_)
        left_out[new[inside]] = True
        logits[inside] = fit_head(lesson.without(left_out), present, len(labels))(lesson.rows[new[inside]])
    behind = (metadata.get("validation") or {}).get("n", _USUAL_VALIDATION)
    share = len(new) / (len(new) + behind)
    own = calibration.fit_temperature(logits, targets)
    temperature = float(np.exp((1 - share) * np.log(temperature) + share * np.log(max(own, temperature))))
    probabilities = softmax(logits / temperature)
    threshold = calibration.fit_unsure_threshold(
        probabilities, targets, least_accuracy=_LEAST_CONFIDENT_ACCURACY
    )
    evaluation = evaluate(targets, probabilities, labels)
    return (
        Calibration(
            temperature=temperature,
            unsure_below=(1 - share) * before.unsure_below + share * max(threshold, before.unsure_below),
            music_threshold=before.music_threshold,
        ),
        {
            "n": evaluation.n,
            "accuracy": asdict(evaluation.accuracy),
            "calibration_error": evaluation.calibration_error,
        },
    )


def _spread(logits: NDArray[np.float64]) -> float:
    return max(float(logits.std(axis=1).mean()), 1e-6)


def _trained_on(
    metadata: Mapping[str, Any], remembered: Replay, targets: IntArray, labels: Sequence[str]
) -> dict[str, Any]:
    counts = np.bincount(targets, minlength=len(labels))
    return {
        **metadata.get("trained_on", {}),
        "base": metadata["name"],
        "replayed": len(remembered.names),
        "clips": {label: int(count) for label, count in zip(labels, counts, strict=True) if count},
    }
