"""Evaluating the candidate of a run: its metadata, and its predictions beside those of the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from classifier.core.artifact import read_metadata
from classifier.core.inference import Classifier, Prediction
from classifier.core.prediction import TrackTags
from classifier.fitting.artifact.metadata import amend_metadata
from classifier.fitting.data.feature_store import FeatureStore
from classifier.fitting.evaluation.outputs import Clips
from classifier.fitting.evaluation.version import evaluate_version
from classifier.fitting.jobs.clips import TRAINED_ON, RunClips
from classifier.fitting.jobs.description import JobDescription, JobFolder


def evaluate_candidate(
    job: JobDescription,
    clips: RunClips,
    features: FeatureStore,
    *,
    folder: JobFolder,
    check_stopped: Callable[[], None],
) -> None:
    """Complete the metadata of the candidate in ``folder.result`` by its figures."""
    test, holdout = clips.on("test"), clips.on("holdout")
    figures = evaluate_version(
        folder.result,
        test=Clips(clips.names[test].tolist(), clips.examples(features, test)),
        holdout=Clips(clips.keys[holdout].tolist(), clips.examples(features, holdout)),
        check_stopped=check_stopped,
    )
    trained_on = clips.on(*(TRAINED_ON if job.kind == "quick" else TRAINED_ON[:1]))
    genres, counts = np.unique(clips.genres[trained_on], return_counts=True)
    origin: Mapping[str, Any] = read_metadata(folder.result).get("trained_on", {})
    amend_metadata(
        folder.result,
        **figures,
        name=job.name,
        trained_on={
            **origin,
            "snapshot": job.snapshot,
            "clips": dict(zip(genres.tolist(), counts.tolist(), strict=True)),
        },
    )


def predict_holdout(
    job: JobDescription,
    clips: RunClips,
    features: FeatureStore,
    *,
    folder: JobFolder,
    check_stopped: Callable[[], None],
) -> dict[str, Any]:
    """Predict the held-out clips by the candidate and by the champion, as they would answer on their sound.

    Returns
    -------
    dict
        ``holdout``: the ``champion`` (its row's number or None) and ``clips`` by id: their ``genre``, and the
        predictions of the ``candidate`` and the ``champion`` as ``[label, confidence]``, None where features
        are missing. Clips that the champion was trained on have no prediction of it.
    """
    candidate = Classifier.load(folder.result)
    champion = Classifier.load(job.base) if job.base else None
    predictions: dict[str, dict[str, Any]] = {}
    for place in np.flatnonzero(clips.sides == "holdout").tolist():
        check_stopped()
        row, tags = int(clips.rows[place]), clips.tags_of(place)
        entry: dict[str, Any] = {
            "genre": str(clips.genres[place]),
            "candidate": _verdict(predict_row(candidate, features, row, tags)),
        }
        if champion is not None and not clips.seen[place]:
            entry["champion"] = _verdict(predict_row(champion, features, row, tags))
        predictions[str(clips.keys[place])] = entry
    return {"holdout": {"champion": job.base_pk, "clips": predictions}}


def predict_row(
    classifier: Classifier, features: FeatureStore, row: int, tags: TrackTags | None = None
) -> Prediction | None:
    """Predict one row of a feature store; None where it lacks the features that the classifier needs.

    Parameters
    ----------
    tags
        Of the same clip; without them a version that is joined with the tagger gives its network's own.
    """
    summary = features.summary[row]
    known = None if np.isnan(summary).any() else summary
    return classifier.predict_stored(features.db(row), summary=known, tags=tags)


def _verdict(prediction: Prediction | None) -> list[Any] | None:
    if prediction is None:
        return None
    label, confidence = max(prediction.probabilities.items(), key=lambda item: item[1])
    return [label, round(confidence, 4)]
