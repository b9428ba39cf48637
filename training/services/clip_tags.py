"""The tagger's output that is kept with a clip."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from classifier.core import tag_storage
from training.models import Clip

if TYPE_CHECKING:
    from classifier.core.prediction import TrackTags

log = logging.getLogger(__name__)

FIELDS = ("tags", "tagger_version")


def assign(clip: Clip, tags: TrackTags) -> None:
    """Set the fields of a clip, unsaved."""
    clip.tags, clip.tagger_version = tag_storage.to_bytes(tags), tags.version


def tags_of(clip: Clip) -> TrackTags | None:
    """Give what is kept of the tagger's output for a clip; None where there is nothing or it is damaged."""
    if clip.tags is None or not clip.tagger_version:
        return None
    try:
        return tag_storage.from_bytes(bytes(clip.tags), version=clip.tagger_version)
    except ValueError as error:
        log.warning("the tags of clip %s: %s", clip.pk, error)
        return None
