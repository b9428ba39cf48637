"""Keep what a file says of itself with its track, where nobody has said anything else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from django.core.files.base import ContentFile

from classifier import decoding
from classifier.core.file_tags import COVER_SUFFIX
from library.models import Track
from library.services.tracks import clean_title, title_from

log = logging.getLogger(__name__)

WORDS = ("title", "artist", "album", "year", "tagged_genre")
"""Fields of a track that are filled from its file's tags."""


@dataclass(frozen=True, slots=True)
class Found:
    """The tags of a track's file, cleaned.

    Attributes
    ----------
    said : dict
        What the file says, by field of the track; fields that it does not give are missing.
    cover : bytes or None
        Encoded anew.
    """

    said: dict[str, Any]
    cover: bytes | None


def read_tags(track: Track) -> Found | None:
    """Read the tags of a track's file; None where they were read before."""
    if track.file_tags is not None:
        return None
    with track.sound.open("rb") as file:
        tags = decoding.shared.file_tags(cast(BinaryIO, file))
    words = {
        "title": clean_title(tags.title),
        "artist": clean_title(tags.artist),
        "album": clean_title(tags.album),
        "year": tags.year,
        "tagged_genre": clean_title(tags.genre),
    }
    return Found({name: word for name, word in words.items() if word}, tags.cover)


def write_cover(track: Track, found: Found | None) -> None:
    """Write the cover to the storage, without saving the row."""
    if found is not None and found.cover is not None:
        track.cover.save(f"cover{COVER_SUFFIX}", ContentFile(found.cover), save=False)


def tag_columns(track: Track, found: Found | None) -> dict[str, Any]:
    """Say which columns the tags fill. The row must be locked: its owner may be changing it.

    A word that somebody has given stays, and so does a title that is not the file's name.
    """
    if found is None:
        return {}
    now = Track.objects.values(*WORDS, "original_name").get(pk=track.pk)
    unnamed = now["title"] == title_from(now["original_name"])
    filled = {
        name: word for name, word in found.said.items() if (unnamed if name == "title" else not now[name])
    }
    return {**filled, "file_tags": found.said, "cover": track.cover.name or ""}


def without_file_tags(track: Track) -> dict[str, Any]:
    """Say which columns are empty again once the file is another one, so that its tags can fill them."""
    said = track.file_tags or {}
    empty = {"title": title_from(track.original_name), "year": None}
    return {
        name: empty.get(name, "") for name in WORDS if name in said and getattr(track, name) == said[name]
    }
