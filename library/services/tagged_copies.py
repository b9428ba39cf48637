"""Copies of sounds with what was heard in their tags; what is stored stays as it is."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from django.contrib.auth.models import AnonymousUser
from django.db.models.fields.files import FieldFile
from django.utils import translation
from django.utils.translation import gettext

from classifier import tag_files, tag_words
from classifier.core.tag_writing import FIELDS, TagWritingError
from classifier.core.tags import TAGS
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.accounts.personal_data import Content
from genreweb.free_space import has_room
from library.errors import TrackError
from library.models import Track, TrackQuerySet
from library.services.tracks import clean_name

DEFAULT = ("genre", "mood")
"""Fields that are written unless others are chosen."""
_CHUNK = 1 << 20
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a file's tags, before and after; an empty list where it has none."""

    field: str
    before: list[str]
    after: list[str]

    @property
    def changes(self) -> bool:
        return self.before != self.after


def proposed(track: Track, fields: Collection[str] = FIELDS) -> dict[str, list[str]]:
    """Give what would be written into each field, in English as taggers do; unknown ones are left out.

    A genre that the classifier is unsure of is not written.
    """
    with translation.override("en"):
        values = {
            "genre": [_genre(track)],
            "mood": _moods(track),
            "key": [_key(track.current.key if track.current else "")],
            "title": [track.title],
            "artist": [track.artist],
            "album": [track.album],
            "year": [str(track.year or "")],
        }
    kept = {name: [text for text in values[name] if text] for name in FIELDS if name in fields}
    return {name: texts for name, texts in kept.items() if texts}


def _genre(track: Track) -> str:
    if track.labelled_genre is not None:
        return track.labelled_genre.name
    analysis = track.current
    if analysis is None or not analysis.genre:
        return ""
    if analysis.style:
        return tag_words.named(analysis.style).name if analysis.style in TAGS else analysis.style.capitalize()
    if analysis.unsure:
        return ""
    known = Genre.objects.filter(slug=analysis.genre).first()
    return known.name if known else analysis.genre.capitalize()


def _moods(track: Track) -> list[str]:
    outstanding = track.current.outstanding_tags if track.current else {}
    return [tag_words.named(slug).name for slug in outstanding.get("mood", [])]


def _key(words: str) -> str:
    """Write a key as taggers do: “Eb minor” is Ebm, “C major” is C (ID3v2.4, TKEY)."""
    tonic, _space, mode = words.partition(" ")
    return f"{tonic}m" if mode == "minor" else tonic


def preview(*, track: Track, user: User | AnonymousUser, fields: Collection[str] = FIELDS) -> list[Change]:
    """Say what writing `fields` would change in the file.

    Raises
    ------
    TrackError
        ``tags_unsupported``, ``tags_unreadable``, ``file_missing``, ``storage_full``.
    """
    after = proposed(track, fields)
    with _copy(track, user) as file, _refusals():
        before = tag_files.read_fields(file)
    return [
        Change(name, before.get(name, []), after.get(name, before.get(name, [])))
        for name in FIELDS
        if name in fields
    ]


def tagged_copy(*, track: Track, user: User | AnonymousUser, fields: Collection[str] = DEFAULT) -> IO[bytes]:
    """Make a copy of the sound with `fields` in its tags; closing it removes it.

    Raises
    ------
    TrackError
        As `preview`.
    """
    file = _copy(track, user)
    try:
        with _refusals():
            tag_files.write_fields(file, proposed(track, fields))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def copies(
    *, tracks: TrackQuerySet, user: User | AnonymousUser, fields: Collection[str] = DEFAULT
) -> Iterator[tuple[str, Content]]:
    """Yield tagged copies one by one, as (path in an archive, how to open it).

    What cannot be tagged is named with its reason in a text at the end.
    """
    left_out: list[str] = []
    taken: set[str] = set()
    whole = tracks.with_verdict().select_related("labelled_genre", "current__model_version")
    for pk in list(whole.order_by("title", "id").values_list("pk", flat=True)):
        # Fetched one by one: a track may be deleted while the archive is sent.
        track = whole.filter(pk=pk).first()
        if track is None:
            continue
        name = _unused(copy_name(track, user), taken)
        try:
            file = tagged_copy(track=track, user=user, fields=fields)
        except TrackError as error:
            left_out.append(f"{name}: {error.message}")
            continue
        yield name, partial(_given, file)
    if left_out:
        said = gettext("These files could not be tagged and are left out:")
        yield "left out.txt", "\n".join([said, *left_out, ""]).encode()


def _given(file: IO[bytes]) -> IO[bytes]:
    return file


def copy_name(track: Track, user: User | AnonymousUser) -> str:
    """Name a copy as its file was named, for others after its title; valid on every operating system."""
    stored = _source(track, user)
    suffix = PurePosixPath(stored.name or "").suffix
    original = track.original_name if _mine(track, user) else ""
    stem = _SUFFIX.sub("", original) if original else track.title
    fitting = " ".join(_UNFIT.sub(" ", clean_name(stem)).split()).strip(" .")[:120].strip(" .")
    return f"{fitting or track.pk.hex[:8]}{suffix}"


def _unused(name: str, taken: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{stem or name} ({number}){dot if stem else ''}{suffix if stem else ''}"
    taken.add(free.casefold())
    return free


def _mine(track: Track, user: User | AnonymousUser) -> bool:
    return track.owner_id is not None and track.owner_id == user.pk


def _source(track: Track, user: User | AnonymousUser) -> FieldFile:
    """The file that this person may download: one's own as it was sent, others' as browsers play them."""
    return track.sound if _mine(track, user) else track.playable


def _copy(track: Track, user: User | AnonymousUser) -> IO[bytes]:
    stored = _source(track, user)
    if not has_room(track.size):
        raise TrackError("storage_full")
    copy = tempfile.TemporaryFile()  # noqa: SIM115  closed by who reads it
    try:
        with stored.storage.open(str(stored.name), "rb") as source:
            shutil.copyfileobj(source, copy, _CHUNK)
    except FileNotFoundError as error:
        copy.close()
        raise TrackError("file_missing") from error
    except BaseException:
        copy.close()
        raise
    return copy


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except TagWritingError as error:
        raise TrackError(f"tags_{error.code}") from error
