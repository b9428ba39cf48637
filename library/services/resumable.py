"""Uploads in parts: begun, gone on with, ended, forgotten.

An upload is a row, and a stored file for each part. The row's offset is moved on by an UPDATE that names the
former one, so that of two requests with the same part one is refused. A complete upload whose track could not
be made at once, since a process was lost or the storage was full, is taken up again by the sweeper.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from typing import IO, Final, Protocol

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from genreweb.accounts.models import User
from library.errors import TrackError
from library.models import ResumableUpload, Track, UploadPart
from library.services import quotas
from library.services.tracks import CHUNK, add_track, clean_name, write

log = logging.getLogger(__name__)

KEPT: Final = timedelta(hours=24)
"""How long an upload is kept after the last part of it."""
MOST_UNFINISHED: Final = 50
MOST_PARTS: Final = 2000
_CLAIMED_FOR: Final = timedelta(minutes=5)
_NO_SECONDS: Final = 1.0
"""Of an upload that has only begun: minutes are counted when the file is there."""


class Source(Protocol):
    """Where the bytes of a part come from."""

    def read(self, size: int, /) -> bytes: ...


def create(*, owner: User, length: int, name: str = "", metadata: str = "") -> ResumableUpload:
    """Begin an upload of so many bytes.

    Raises
    ------
    TrackError
        A file of this size would be refused, or the person has too many unfinished uploads.
    """
    if length == 0:
        raise TrackError("empty")
    if length > settings.AUDIO_MAX_BYTES:
        raise TrackError("too_large", {"maximum": settings.AUDIO_MAX_BYTES // 2**20})
    with transaction.atomic():
        # Of several begun at once one waits for the other.
        User.objects.select_for_update(no_key=True).only("pk").get(pk=owner.pk)
        begun = ResumableUpload.objects.filter(owner=owner, track=None, expires__gt=timezone.now())
        waiting = begun.aggregate(count=Count("pk"), size=Sum("length"))
        if waiting["count"] >= MOST_UNFINISHED:
            raise TrackError("uploads_many", {"most": MOST_UNFINISHED})
        size = length + (waiting["size"] or 0)
        quotas.check(user=owner, tracks=1 + waiting["count"], size=size, duration=_NO_SECONDS)
        return ResumableUpload.objects.create(
            owner=owner,
            name=clean_name(name),
            metadata=metadata,
            length=length,
            expires=timezone.now() + KEPT,
        )


def receive(*, upload: ResumableUpload, offset: int, source: Source) -> None:
    """Store what comes next of an upload, as far as it arrives; the row is then up to date.

    Raises
    ------
    TrackError
        ``upload_offset``: the upload does not stand there, perhaps since another request came first.
    """
    if upload.offset != offset:
        raise TrackError("upload_offset")
    if upload.parts.count() >= MOST_PARTS:
        raise TrackError("upload_parts", {"most": MOST_PARTS})
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as held:
        size = _copy(source, held, most=upload.length - offset)
        if size:
            held.flush()
            _store(upload, offset, File(held, name="part"), size)
    upload.refresh_from_db()


def _copy(source: Source, target: IO[bytes], *, most: int) -> int:
    """Copy at most so many bytes; what arrived before a connection was lost counts."""
    copied = 0
    while copied < most:
        try:
            chunk = source.read(min(CHUNK, most - copied))
        except OSError:
            log.info("a connection was lost after %d bytes of a part", copied)
            break
        if not chunk:
            break
        target.write(chunk)
        copied += len(chunk)
    return copied


def _store(upload: ResumableUpload, offset: int, file: File[bytes], size: int) -> None:
    part = UploadPart(upload=upload, start=offset, size=size)
    write(part.file, file, "part")
    try:
        with transaction.atomic():
            stands = ResumableUpload.objects.filter(pk=upload.pk, offset=offset)
            if not stands.update(offset=F("offset") + size, expires=timezone.now() + KEPT):
                raise TrackError("upload_offset")
            part.save(force_insert=True)
    except BaseException:
        part.file.delete(save=False)
        raise


def finish(*, upload: ResumableUpload) -> Track | None:
    """Make a track of a complete upload; None while another process does.

    Raises
    ------
    TrackError
        The file is refused, and the upload is gone; or the site is at fault, and will try again.
    """
    now = timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - _CLAIMED_FOR)
    if not ResumableUpload.objects.filter(free, pk=upload.pk, track=None).update(claimed_at=now):
        return None
    try:
        track = _track_of(upload)
    except TrackError as error:
        if not error.is_ours:
            discard(ResumableUpload.objects.filter(pk=upload.pk))
        raise
    with transaction.atomic():
        ResumableUpload.objects.filter(pk=upload.pk).update(track=track)
        _delete_parts(UploadPart.objects.filter(upload=upload))
    upload.track = track
    return track


def _track_of(upload: ResumableUpload) -> Track:
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as held:
        try:
            for part in upload.parts.all():
                with part.file.open("rb") as file:
                    _copy(file, held, most=part.size)
        except OSError as error:
            log.exception("the parts of an upload could not be put together")
            raise TrackError("unavailable") from error
        held.flush()
        return add_track(owner=upload.owner, file=File(held, name=upload.name), name=upload.name).track


def discard(uploads: QuerySet[ResumableUpload]) -> int:
    """Forget uploads and delete what has arrived of them; their tracks stay. Return their number."""
    with transaction.atomic():
        ids = list(uploads.select_for_update().values_list("pk", flat=True))
        _delete_parts(UploadPart.objects.filter(upload__in=ids))
        ResumableUpload.objects.filter(pk__in=ids).delete()
    return len(ids)


def forget_expired() -> int:
    return discard(ResumableUpload.objects.filter(expires__lte=timezone.now()))


def sweep() -> int:
    """Make tracks of complete uploads that were left; return their number."""
    now = timezone.now()
    left = ResumableUpload.objects.filter(
        Q(claimed_at=None, expires__lt=now + KEPT - _CLAIMED_FOR) | Q(claimed_at__lt=now - _CLAIMED_FOR),
        offset=F("length"),
        track=None,
    )
    made = 0
    for upload in left.select_related("owner")[:10]:
        try:
            made += finish(upload=upload) is not None
        except TrackError as error:
            log.warning("the upload %s became no track: %s", upload.pk, error.code)
    return made


def _delete_parts(parts: QuerySet[UploadPart]) -> None:
    names = list(parts.values_list("file", flat=True))
    parts.delete()
    transaction.on_commit(lambda: _remove(names), robust=True)


def _remove(names: Iterable[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            # It belongs to no row: the hourly tidying tries again.
            log.exception("could not delete %s", name)
