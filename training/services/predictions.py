"""Predictions of the version in service for clips: probabilities, disagreement with the label, embeddings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from classifier import registry
from training.models import Clip
from training.services.clip_tags import tags_of
from training.services.features import FeaturesError, read_features

if TYPE_CHECKING:
    from classifier.core.inference import Classifier, Prediction
    from classifier.core.prediction import TrackTags
    from training.services.features import ClipFeatures

log = logging.getLogger(__name__)

_BATCH = 50


def predict(features: ClipFeatures, classifier: Classifier, tags: TrackTags | None = None) -> Prediction:
    """Give a classifier's prediction from what was kept of a clip, the same as from the clip's sound.

    Parameters
    ----------
    tags
        The tagger's output for the clip, if it was kept.

    Raises
    ------
    FeaturesError
        What was kept of the clip is not what this classifier works on.
    """
    prediction = classifier.predict_stored(features.db, summary=features.summary, tags=tags)
    if prediction is None:
        raise FeaturesError(
            f"{classifier.name} needs summary features, and there was no sound to have them of"
        )
    return prediction


def assign(clip: Clip, prediction: Prediction, loaded: registry.Loaded) -> None:
    """Write a prediction into the fields of a clip, unsaved."""
    clip.opinion_version = loaded.version
    clip.heard_music = prediction.music
    clip.opinion = {label: round(p, 5) for label, p in prediction.probabilities.items()}
    clip.disputed = 1.0 - prediction.probabilities.get(clip.genre.slug, 0.0)
    clip.embedding = prediction.embedding


FIELDS = ("opinion_version", "heard_music", "opinion", "disputed", "embedding")


def refresh(clips: Iterable[Clip], *, on_clip: Callable[[int], None] | None = None) -> int:
    """Predict every clip that the version in service has not predicted yet; give how many those were.

    Predictions are saved batch by batch, so that an interrupted call goes on where it stopped. A clip whose
    features are gone or damaged keeps what it has.
    """
    loaded = registry.in_service()
    done, batch = 0, []
    for clip in clips:
        if clip.opinion_version_id == loaded.version.pk and clip.embedding is not None:
            continue
        try:
            assign(clip, predict(read_features(clip), loaded.classifier, tags_of(clip)), loaded)
        except FeaturesError as error:
            log.warning("clip %s: %s", clip.pk, error)
            continue
        batch.append(clip)
        done += 1
        if len(batch) == _BATCH:
            Clip.objects.bulk_update(batch, FIELDS)
            batch = []
        if on_clip:
            on_clip(done)
    if batch:
        Clip.objects.bulk_update(batch, FIELDS)
    return done
