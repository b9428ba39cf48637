"""Tag clips that were checked before the tagger was installed, or by another version of it."""

from __future__ import annotations

import logging
from typing import BinaryIO, cast

from django.db.models import Q

from classifier import decoding, registry
from classifier.core import tagger
from classifier.core.audio_info import AudioError
from classifier.core.tagger import Tagger
from classifier.core.verdict import pool_tags
from training.models import Clip
from training.models.clips import ClipQuerySet
from training.services import clip_tags, predictions
from training.services.clips import clip_limits
from training.services.features import FeaturesError, read_features

log = logging.getLogger(__name__)

_BATCH = 8
"""Clips of one sweep: about three seconds of work."""


def fill_in() -> int:
    """Tag some of the clips with sound that the installed tagger has not tagged; return their number.

    Their predictions by the version in service follow, as they are joined with the tags.
    """
    installed = tagger.installed()
    if installed is None:
        return 0
    # Comparisons, which an index answers; "is different" it does not.
    lacking = Q(tagger_version__lt=installed.version) | Q(tagger_version__gt=installed.version)
    status = (Clip.Status.PENDING, Clip.Status.APPROVED)
    clips = Clip.objects.filter(lacking, status__in=status).exclude(sound="").select_related("genre")
    return sum(_tag(clip, installed) for clip in clips.defer("embedding", "opinion")[:_BATCH])


def _tag(clip: Clip, installed: Tagger) -> bool:
    try:
        with clip.sound.storage.open(str(clip.sound.name), "rb") as file:
            samples = decoding.shared.decode(cast(BinaryIO, file), limits=clip_limits()).samples
    except (AudioError, FileNotFoundError) as error:
        log.warning("the sound of clip %s: %s", clip.pk, error)
        # Not tried again with this tagger.
        _rows(clip).update(tags=None, tagger_version=installed.version)
        return False
    rows = _rows(clip)
    clip_tags.assign(clip, pool_tags(installed.tag(samples), version=installed.version))
    fields = [*clip_tags.FIELDS]
    if _predict(clip):
        fields += predictions.FIELDS
    return bool(rows.update(**{name: getattr(clip, name) for name in fields}))


def _rows(clip: Clip) -> ClipQuerySet:
    """The row of a clip as long as nobody checked it anew, tagged or withdrew it meanwhile."""
    return Clip.objects.filter(pk=clip.pk, sound=clip.sound.name, tagger_version=clip.tagger_version)


def _predict(clip: Clip) -> bool:
    try:
        loaded = registry.in_service()
        prediction = predictions.predict(read_features(clip), loaded.classifier, clip_tags.tags_of(clip))
    except (FeaturesError, registry.NoClassifierError) as error:
        log.warning("clip %s is tagged without a prediction: %s", clip.pk, error)
        return False
    predictions.assign(clip, prediction, loaded)
    return True
