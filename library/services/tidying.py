"""Remove files without a row, left by a crash between writing a file and its row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from classifier import version_files
from library.models import Analysis, EncodedCopy, Explanation, Track, UploadBatch, UploadPart
from library.services.classify import SCRATCH

log = logging.getLogger(__name__)

# A file younger than this may belong to a row that is just being written.
GRACE = timedelta(hours=1)
_BATCH = 500


def tidy() -> int:
    """Delete stored files older than GRACE that belong to no row; return their number."""
    removed = tidy_folders(
        ("sounds", "renditions", "covers", "encoded", "pictures", "batches", "resumable", SCRATCH, "healthz"),
        known=_known,
    )
    return removed + version_files.tidy(grace=GRACE)


def tidy_folders(folders: Iterable[str], *, known: Callable[[list[str]], set[str]]) -> int:
    """Delete the files in some folders that are older than GRACE and belong to no row; return their number.

    Parameters
    ----------
    known
        Function that returns which of some names belong to a row.
    """
    removed = 0
    batch: list[str] = []
    for folder in folders:
        for name in _files(default_storage, folder):
            batch.append(name)
            if len(batch) == _BATCH:
                removed += _remove_unknown(batch, known(batch))
                batch = []
    removed += _remove_unknown(batch, known(batch))
    if removed:
        log.info("removed %d files that belonged to nothing", removed)
    return removed


def _files(storage: Storage, folder: str) -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files)
    for inner in folders:
        yield from _files(storage, f"{folder}/{inner}")


def _known(names: list[str]) -> set[str]:
    known: set[str] = set()
    for field in ("sound", "rendition", "cover"):
        known.update(Track.objects.filter(**{f"{field}__in": names}).values_list(field, flat=True))
    known.update(EncodedCopy.objects.filter(file__in=names).values_list("file", flat=True))
    for field in Analysis.PICTURES:
        known.update(Analysis.objects.filter(**{f"{field}__in": names}).values_list(field, flat=True))
    known.update(UploadBatch.objects.filter(archive__in=names).values_list("archive", flat=True))
    known.update(UploadPart.objects.filter(file__in=names).values_list("file", flat=True))
    known.update(Explanation.objects.filter(picture__in=names).values_list("picture", flat=True))
    return known


def _remove_unknown(names: list[str], known: set[str]) -> int:
    removed = 0
    for name in names:
        if name in known:
            continue
        try:
            if timezone.now() - default_storage.get_modified_time(name) < GRACE:
                continue
            default_storage.delete(name)
        except OSError:
            log.exception("could not remove %s", name)
        else:
            removed += 1
    return removed
