"""Tracks: add, edit, analyse again, delete."""

from __future__ import annotations

import errno
import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext

from classifier import decoding
from classifier.core.audio import AudioError, AudioInfo, AudioLimits
from genreweb.accounts.models import User
from genreweb.free_space import has_room
from genreweb.shown_text import one_line
from library.errors import TrackError
from library.models import TITLE_LENGTH, Analysis, EncodedCopy, Explanation, Track, TrackQuerySet
from library.services import queue, quotas

log = logging.getLogger(__name__)

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Added:
    """A track, whether the person already had it, and whether it was in their bin."""

    track: Track
    duplicate: bool
    restored: bool = False


def limits() -> AudioLimits:
    """Return the site's limits for uploaded audio."""
    return AudioLimits(
        min_duration=settings.AUDIO_MIN_SECONDS,
        max_duration=settings.AUDIO_MAX_SECONDS,
        max_bytes=settings.AUDIO_MAX_BYTES,
    )


def add_track(
    *,
    owner: User,
    file: File[bytes],
    name: str,
    title: str = "",
    source: str = Track.Source.UPLOAD,
    bulk: bool = False,
) -> Added:
    """Store a sound and queue its analysis, or return the user's track with the same bytes.

    Where that one is in the bin it is taken out, and is private: to send it again is to want it back, not to
    publish it. With `bulk` it is queued behind what people wait for.

    Raises
    ------
    TrackError
        If the file cannot be accepted; then nothing is stored.
    """
    info, sha256 = examine(file)
    known = _known(owner, sha256)
    if known is not None:
        return known
    quotas.check(user=owner, tracks=1, size=file.size, duration=info.duration)
    track = Track(
        owner=owner,
        title=clean_title(title) or title_from(name),
        original_name=clean_name(name),
        source=source,
        sha256=sha256,
        size=file.size,
    )
    describe(track, info)
    try:
        store(track, file, name, bulk=bulk)
    except IntegrityError:
        # The same file was uploaded twice at the same time, and the other upload was stored first.
        known = _known(owner, sha256)
        if known is None:
            raise TrackError("busy") from None
        return known
    return Added(track, duplicate=False)


def _known(owner: User, sha256: str) -> Added | None:
    """Give a person's track with the same bytes, out of the bin."""
    same = Track.objects.filter(owner=owner, sha256=sha256)
    track = same.first()
    if track is None or track.binned_at is None:
        return Added(track, duplicate=True) if track else None
    restored = same.filter(binned_at__isnull=False).update(binned_at=None, was_published=False)
    # Deleted for good meanwhile: then it is new.
    track = same.first()
    return Added(track, duplicate=True, restored=bool(restored)) if track else None


def examine(file: File[bytes], *, within: AudioLimits | None = None) -> tuple[AudioInfo, str]:
    """Check whether a file is acceptable before anything is stored; return its properties and its hash."""
    stream = cast(BinaryIO, file)
    file.seek(0)
    try:
        info = decoding.shared.probe(stream, limits=within or limits())
    except AudioError as error:
        raise TrackError.of(error) from error
    except decoding.DecoderBusyError as error:
        raise TrackError("busy") from error
    except decoding.DecoderLostError as error:
        log.exception("an upload could not be looked at")
        raise TrackError("unavailable") from error
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return info, digest.hexdigest()


def describe(track: Track, info: AudioInfo) -> None:
    track.duration = info.duration or None
    track.sample_rate = info.sample_rate
    track.channels = info.channels
    track.codec = info.codec[:40]
    track.container = info.container[:60]


def store(track: Track, file: File[bytes], name: str, *, bulk: bool = False) -> None:
    """Write the sound, then the row; if the row cannot be written, the sound is deleted again."""
    track.queued_at = timezone.now()
    write(track.sound, file, name)
    try:
        with transaction.atomic():
            if track.owner is not None:
                quotas.take(user=track.owner, tracks=1, size=track.size, duration=track.duration)
            bulk = bulk or has_many_waiting(track.owner_id, but=track.pk)
            track.save(force_insert=True)
            queue.send_on_commit(track.id, bulk=bulk)
    except BaseException:
        track.sound.delete(save=False)
        raise


def has_many_waiting(owner_id: int | None, *, but: UUID) -> bool:
    """Tell whether so many tracks of a person wait, `but` aside, that more wait behind those of others."""
    if owner_id is None:
        return False
    active = Track.objects.filter(owner=owner_id, status__in=[Track.Status.QUEUED, Track.Status.RUNNING])
    return active.exclude(pk=but).order_by()[: queue.PROMPT].count() >= queue.PROMPT


def write(field: FieldFile, file: File[bytes], name: str) -> None:
    """Write a file to the storage, without saving the row; raises TrackError if that fails."""
    if not has_room(file.size):
        raise TrackError("storage_full")
    file.seek(0)
    try:
        field.save(name, file, save=False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            log.exception("no room to store an upload")
            raise TrackError("storage_full") from error
        log.exception("an upload could not be stored")
        raise TrackError("unavailable") from error


def replace_sound(
    *, track: Track, file: File[bytes], name: str, info: AudioInfo, sha256: str, **fields: Any
) -> None:
    """Replace the sound of a track, set further fields, and queue it; old files are deleted on commit.

    So are encoded copies of the old sound; a worker that makes one thereby loses its claim.
    """
    old = [(field, getattr(track, field).name or "") for field in ("sound", "rendition", "cover")]
    file.seek(0)
    describe(track, info)
    track.sound.save(name, file, save=False)
    new = str(track.sound.name)
    try:
        with transaction.atomic():
            Track.objects.filter(pk=track.pk).update(
                sound=new,
                rendition="",
                cover="",
                file_tags=None,
                **fields,
                sha256=sha256,
                size=file.size,
                status=Track.Status.QUEUED,
                step="",
                # A worker on the old sound thereby loses its claim.
                attempt=F("attempt") + 1,
                tries=0,
                queued_at=timezone.now(),
            )
            copies = EncodedCopy.objects.filter(track=track)
            old += [("encoded", name) for name in copies.values_list("file", flat=True)]
            copies.delete()
            queue.send_on_commit(track.pk, bulk=True)
            transaction.on_commit(lambda: _remove(old))
    except BaseException:
        track.sound.storage.delete(new)
        raise


def edit(*, track: Track, words: Mapping[str, Any], without_cover: bool = False) -> Track:
    """Change the title, artist, album, year or genre in words of a track; remove its cover.

    Raises
    ------
    ValueError
        If the title is to be empty.
    """
    fields = []
    for name, word in words.items():
        cleaned = clean_title(word) if isinstance(word, str) else word
        if name == "title" and not cleaned:
            raise ValueError(gettext("A track needs a title."))
        setattr(track, name, cleaned)
        fields.append(name)
    old = [("cover", track.cover.name or "")] if without_cover else []
    if without_cover:
        track.cover = ""
        fields.append("cover")
    with transaction.atomic():
        track.save(update_fields=fields)
        transaction.on_commit(lambda: _remove(old))
    return track


def analyse_again(*, track: Track) -> bool:
    """Queue a finished track again; False if it already waits or runs.

    Its current analysis stays until the new one is stored.
    """
    with transaction.atomic():
        queued = Track.objects.filter(
            pk=track.pk, status__in=[Track.Status.DONE, Track.Status.FAILED]
        ).queue_again()
        if queued:
            bulk = has_many_waiting(track.owner_id, but=track.pk)
            queue.send_on_commit(track.pk, bulk=bulk)
    track.refresh_from_db()
    return bool(queued)


def delete_tracks(tracks: TrackQuerySet) -> int:
    """Delete tracks with their sounds, pictures and vectors. A running analysis then loses its claim."""
    with transaction.atomic():
        ids = list(tracks.select_for_update().values_list("pk", flat=True))
        rows = Track.objects.filter(pk__in=ids)
        files = list(_stored_files(rows))
        rows.delete()
        transaction.on_commit(lambda: _remove(files))
    return len(ids)


def _stored_files(tracks: TrackQuerySet) -> Iterable[tuple[str, str]]:
    """Yield (field, storage key) of every file that belongs to `tracks`."""
    fields = ("sound", "rendition", "cover")
    for names in tracks.values_list(*fields):
        yield from zip(fields, names, strict=True)
    for name in EncodedCopy.objects.filter(track__in=tracks).values_list("file", flat=True):
        yield "encoded", name
    for names in Analysis.objects.filter(track__in=tracks).values_list(*Analysis.PICTURES):
        for name in names:
            yield "picture", name
    for name in Explanation.objects.filter(analysis__track__in=tracks).values_list("picture", flat=True):
        yield "picture", name


def _remove(files: list[tuple[str, str]]) -> None:
    storage = Track._meta.get_field("sound").storage
    for _field, name in files:
        if not name:
            continue
        try:
            storage.delete(name)
        except OSError:
            # The row is deleted, so nobody can reach the file; the hourly tidying tries again.
            log.exception("could not delete %s", name)


def clean_name(name: str) -> str:
    """Clean a file name for display: one line, no folder, no control or bidirectional characters."""
    # Forms escape these three characters so (HTML standard, multipart/form-data encoding).
    plain = name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")
    return one_line(re.split(r"[\\/]", plain)[-1])[:1000]


def clean_title(title: str) -> str:
    """Clean a title for display: one line, no control characters, at most TITLE_LENGTH characters."""
    return one_line(title)[:TITLE_LENGTH].strip()


def title_from(name: str) -> str:
    """Make a title from a file name: without its suffix, underscores become spaces."""
    shown = clean_name(name)
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}\Z", "", shown)
    return clean_title(stem.replace("_", " ")) or gettext("Untitled")
