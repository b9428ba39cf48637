"""Many files at once: taken in one by one, with one row that tells how far it is and what came of each."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from genreweb.accounts.models import User
from genreweb.jobs import Claim, Event
from library.errors import TrackError
from library.models import Track, UploadBatch, UploadEntry
from library.services import archives, events, queue
from library.services.jobs import SoundJobs
from library.services.tracks import add_track, clean_name, write

Status, EntryStatus = UploadBatch.Status, UploadEntry.Status

KEPT = timedelta(days=30)


class BatchJobs(SoundJobs[Claim[UploadBatch]]):
    """Archives, as jobs of the analysis workers; unpacked behind what people wait for."""

    model = UploadBatch
    related = ("owner",)

    def send(self, row: UploadBatch) -> bool:
        return queue.send_batch(row.pk)

    def note(self, pk: UUID, event: Event) -> None:
        if event is Event.FAILED:
            events.batch_ended_on_commit(pk)


JOBS = BatchJobs()
sweep = JOBS.sweep


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: files by what came of them, and tracks by what came of their analyses."""

    total: int
    waiting: int
    added: int
    duplicates: int
    refused: int
    tracks: int
    analysed: int
    failed: int


def add_files(*, owner: User, files: Sequence[File[bytes]]) -> UploadBatch:
    """Take in several files, each by itself: one that is refused does not hold up the others.

    Raises
    ------
    TrackError
        ``archive_many`` for too many files; what the site is at fault for, such as ``storage_full``, where it
        befell the first file.
    """
    if len(files) > settings.UPLOAD_BATCH_FILES:
        raise TrackError("archive_many", {"maximum": settings.UPLOAD_BATCH_FILES})
    batch = UploadBatch.objects.create(owner=owner, status=Status.DONE, finished_at=timezone.now())
    for position, file in enumerate(files):
        entry = UploadEntry(batch=batch, position=position, name=clean_name(file.name or ""))
        try:
            _take(entry, owner=owner, file=file, bulk=False)
        except TrackError:
            if position == 0:
                batch.delete()
                raise
        entry.save(force_insert=True)
    events.batch_ended_on_commit(batch.pk)
    return batch


def add_archive(*, owner: User, file: File[bytes]) -> UploadBatch:
    """Keep a ZIP archive for a worker to unpack, after a look at what it holds.

    Raises
    ------
    TrackError
        If the archive is refused; then nothing is stored.
    """
    if file.size > settings.UPLOAD_BATCH_MAX_BYTES:
        raise TrackError("archive_large", {"maximum": settings.UPLOAD_BATCH_MAX_BYTES // 2**20})
    found = archives.members(cast(IO[bytes], file), size=file.size)
    batch = UploadBatch(owner=owner)
    write(batch.archive, file, "archive.zip")
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            UploadEntry.objects.bulk_create(
                UploadEntry(batch=batch, position=member.place, name=clean_name(member.name))
                for member in found
            )
            queue.send_batch_on_commit(batch.pk)
    except BaseException:
        batch.archive.delete(save=False)
        raise
    return batch


def unpack(*, batch_id: UUID) -> bool:
    """Take in the files of one queued archive; False where there was nothing to do or the claim was lost."""
    return JOBS.process(batch_id, _unpack)


def _unpack(claim: Claim[UploadBatch]) -> None:
    """Go on where the last worker stopped: what is taken in already has its status."""
    batch = claim.row
    with batch.archive.open("rb") as file:
        try:
            archive = zipfile.ZipFile(cast(IO[bytes], file))
        except (zipfile.BadZipFile, ValueError) as error:
            raise TrackError("archive_unreadable") from error
        with archive:
            for entry in batch.entries.filter(status=EntryStatus.WAITING):
                claim.progress()
                _unpack_one(claim, archive, entry)
    name = str(batch.archive.name)
    with transaction.atomic():
        claim.must_update(status=Status.DONE, archive="", finished_at=timezone.now())
        transaction.on_commit(lambda: batch.archive.storage.delete(name), robust=True)
        events.batch_ended_on_commit(batch.pk)


def _unpack_one(claim: Claim[UploadBatch], archive: zipfile.ZipFile, entry: UploadEntry) -> None:
    try:
        with archives.unpacked(archive, entry.position) as content:
            _take(entry, owner=claim.row.owner, file=File(content, name=entry.name), bulk=True)
    except TrackError as error:
        if error.is_ours and claim.row.tries < JOBS.attempts:
            # A full disk or a restart passes: the whole batch is tried again, from here.
            raise TemporaryError from error
        _refuse(entry, error)
    entry.save(update_fields=["status", "track", "error_code", "error_params"])


class TemporaryError(Exception):
    """Another attempt may succeed."""


def _take(entry: UploadEntry, *, owner: User, file: File[bytes], bulk: bool) -> None:
    """Add the track of an entry; raises TrackError where the site is at fault, not the file."""
    try:
        added = add_track(owner=owner, file=file, name=entry.name, bulk=bulk)
    except TrackError as error:
        _refuse(entry, error)
        if error.is_ours:
            raise
        return
    entry.track = added.track
    entry.status = EntryStatus.DUPLICATE if added.duplicate else EntryStatus.ADDED


def _refuse(entry: UploadEntry, error: TrackError) -> None:
    entry.status, entry.error_code, entry.error_params = EntryStatus.REFUSED, error.code, error.params


def progress(entries: Sequence[UploadEntry]) -> Progress:
    """Count what came of the files of a batch, whose tracks were fetched along."""
    files: Mapping[str, int] = Counter(entry.status for entry in entries)
    # The same file sent twice is one track.
    tracks: Mapping[str, int] = Counter(
        {one.track.pk: one.track.status for one in entries if one.track}.values()
    )
    return Progress(
        total=len(entries),
        waiting=files[EntryStatus.WAITING],
        added=files[EntryStatus.ADDED],
        duplicates=files[EntryStatus.DUPLICATE],
        refused=files[EntryStatus.REFUSED],
        tracks=sum(tracks.values()),
        analysed=tracks[Track.Status.DONE],
        failed=tracks[Track.Status.FAILED],
    )


def delete_batches(rows: QuerySet[UploadBatch]) -> int:
    """Delete batches with their archives; their tracks stay. Return their number."""
    with transaction.atomic():
        names = dict(rows.select_for_update().values_list("pk", "archive"))
        UploadBatch.objects.filter(pk__in=names).delete()
        transaction.on_commit(lambda: _remove(names.values()), robust=True)
    return len(names)


def _remove(names: Iterable[str]) -> None:
    storage = UploadBatch._meta.get_field("archive").storage
    for name in filter(None, names):
        storage.delete(name)


def forget_old() -> int:
    """Delete batches that ended long ago; return their number."""
    ended = [Status.DONE, Status.FAILED]
    return delete_batches(UploadBatch.objects.filter(status__in=ended, created__lt=timezone.now() - KEPT))
