"""A quick run's version: the files of a version again, with a new last layer."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.artifact import (
    MODEL_FILE,
    Calibration,
    ReleaseError,
    architecture,
    backbone_of,
    file_in,
    file_sha256,
    read_metadata,
)
from classifier.core.networks import WEIGHTS_FILE
from classifier.fitting.artifact import keras_files
from classifier.fitting.artifact.embeddings import save_replay
from classifier.fitting.artifact.metadata import write_metadata
from classifier.fitting.evaluation.figures import figures
from classifier.fitting.evaluation.label_noise import Groups
from classifier.fitting.evaluation.outputs import from_evaluation_features
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.loop.parts import OnShare, between, untold
from classifier.fitting.networks.head import calibrate_head, fit_head, head_training_set
from classifier.fitting.networks.regression import Affine
from classifier.releases import (
    EVALUATION_FEATURES_FILE,
    REPLAY_FILE,
    Replay,
    read_evaluation_features,
    read_replay,
)

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

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
# Shares of the time that are usually over when each is done.
_LOADED, _FITTED, _CALIBRATED, _WRITTEN = 0.55, 0.58, 0.65, 0.97


@dataclass(frozen=True, slots=True, eq=False)
class _NewClips:
    """(n, n_embedding) embeddings, (n,) places in `labels`, n names."""

    embeddings: FloatArray
    targets: IntArray
    names: Sequence[str]
    labels: Sequence[str]


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
    on_share: OnShare = untold,
) -> Path:
    """Fit a new last layer and write a complete version with it.

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
        Of the clips, stored with their embeddings. A clip that is remembered already is replaced.
    groups
        As for `label_noise.out_of_fold`; for the calibration.
    forget
        Names of remembered clips to be removed.
    threads
        For Keras.
    on_share
        Is told how much is done, from 0 to 1.

    Raises
    ------
    ReleaseError
        The version cannot be loaded, stores no embeddings, or is no network.
    ValueError
        Shapes, targets or labels do not fit.
    ExportError
        LiteRT and Keras disagree.
    """
    metadata = read_metadata(base)
    if not architecture(metadata).is_network or "weights_sha256" not in metadata:
        raise ReleaseError(f"{metadata['name']} is no network, so it has no last layer to be fitted.")
    names = [f"{i}" for i in range(len(embeddings))] if names is None else list(names)
    new = _NewClips(embeddings, targets, names, list(labels))
    remembered = _without(read_replay(base), {*names, *forget})
    _check(new, metadata, remembered)
    use_threads(threads)
    _fit_and_write(base, out, metadata, remembered, new, groups=groups, seed=seed, on_share=on_share)
    return out


def _fit_and_write(
    base: Path,
    out: Path,
    metadata: Mapping[str, Any],
    remembered: Replay,
    new: _NewClips,
    *,
    groups: Groups | None,
    seed: int,
    on_share: OnShare,
) -> None:
    network = keras_files.load(base)
    on_share(_LOADED)
    kernel, biases = (np.asarray(w, dtype=np.float64) for w in network.get_layer("logits").get_weights())
    training = head_training_set(remembered, new.embeddings, new.targets)
    present = Affine(kernel, biases)
    head = fit_head(training, present, len(new.labels))
    on_share(_FITTED)
    calibration, checked = calibrate_head(
        training,
        present,
        head,
        groups=groups,
        metadata=metadata,
        labels=new.labels,
        seed=seed,
        on_share=between(_FITTED, _CALIBRATED, on_share),
    )
    on_share(_CALIBRATED)
    out.mkdir(parents=True, exist_ok=True)
    described = {**metadata, "labels": list(new.labels)}
    made = keras_files.with_head(network, described, head)
    keras_files.write(made, out, described)
    on_share(_WRITTEN)
    _save_grown_replay(out / REPLAY_FILE, remembered, new)
    entries = {
        "seed": seed,
        "calibration": asdict(calibration),
        "parameters": int(made.count_params()),
        "cross_validation": checked,
        **_test_figures(base, out, head, new.labels, calibration),
    }
    write_metadata(out, _metadata(out, metadata, remembered, new) | entries)
    on_share(1.0)


def _metadata(out: Path, metadata: Mapping[str, Any], remembered: Replay, new: _NewClips) -> dict[str, Any]:
    """The entries that follow from the version before, the clips, and the files in `out`."""
    return {
        **{key: metadata[key] for key in _KEPT if key in metadata},
        "name": out.name,
        "date": datetime.now(UTC).date().isoformat(),
        "architecture": architecture(metadata).name,
        "labels": list(new.labels),
        "backbone_sha256": backbone_of(metadata),
        "sha256": file_sha256(out / MODEL_FILE),
        "weights_sha256": file_sha256(out / WEIGHTS_FILE),
        "replay_sha256": file_sha256(out / REPLAY_FILE),
        "trained_on": _trained_on(metadata, remembered, new),
    }


def _test_figures(
    base: Path, out: Path, head: Affine, labels: Sequence[str], calibration: Calibration
) -> dict[str, Any]:
    """Copy the stored embeddings of the test set, if any; give the new head's figures on them."""
    features = file_in(base, EVALUATION_FEATURES_FILE)
    if not features.exists():
        return {}
    stored = read_evaluation_features(base)
    shutil.copyfile(features, out / EVALUATION_FEATURES_FILE)
    outputs = from_evaluation_features(stored, head)
    return {
        "frozen_sha256": file_sha256(out / EVALUATION_FEATURES_FILE),
        **figures(outputs, labels, calibration),
    }


def _check(new: _NewClips, metadata: Mapping[str, Any], remembered: Replay) -> None:
    embeddings, targets, labels = new.embeddings, new.targets, new.labels
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


def _save_grown_replay(path: Path, replay: Replay, new: _NewClips) -> None:
    first = len(replay.names)
    save_replay(
        path,
        embeddings=np.vstack([replay.embeddings, new.embeddings]),
        targets=np.concatenate([replay.targets, new.targets]),
        clip=np.concatenate([replay.clip, np.arange(first, first + len(new.names))]),
        variant=np.concatenate([replay.variant, np.zeros(len(new.names))]),
        names=[*replay.names, *new.names],
    )


def _trained_on(metadata: Mapping[str, Any], remembered: Replay, new: _NewClips) -> dict[str, Any]:
    counts = np.bincount(new.targets, minlength=len(new.labels))
    return {
        **metadata.get("trained_on", {}),
        "base": metadata["name"],
        "replayed": len(remembered.names),
        "clips": {label: int(count) for label, count in zip(new.labels, counts, strict=True) if count},
    }
