"""Import datasets: sounds are queued for their checks, log-mels are stored as they are."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.core.files import File
from django.core.files.base import ContentFile
from django.db import transaction

from classifier.core import dataset as logmels
from classifier.core import fingerprint
from classifier.core.features import FeatureParams
from classifier.core.patches import PatchParams
from classifier.models import Genre
from genreweb.domain_errors import DomainError
from library.services.tracks import clean_title, examine, genre_for, title_from
from training.models import Clip, Dataset
from training.services import duplicates, queue
from training.services.features import ClipFeatures, pack_features
from training.services.genres import add_genre
from training.services.layouts import Entry

log = logging.getLogger(__name__)

KEY_LENGTH = 500


@dataclass(slots=True)
class Report:
    """Counts and errors of an import; `unknown` counts entries of genres that this site does not have."""

    added: int = 0
    known: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)


def open_dataset(*, name: str, source: str, licence: str, trusted: bool) -> Dataset:
    """Get or create the dataset of that name; a second import keeps its metadata."""
    row, _made = Dataset.objects.get_or_create(
        name=clean_title(name)[:120],
        defaults={"source": source[:500], "licence": clean_title(licence), "trusted": trusted},
    )
    return row


def import_entries(
    found: list[Entry],
    *,
    into: Dataset,
    new_genres: bool = False,
    on_entry: Callable[[Entry, str], None] | None = None,
) -> Report:
    """Add every entry that is not yet in the dataset.

    Each entry is its own transaction, so that an interrupted import can be continued. Entries that cannot be
    read are listed, and the import goes on. An unknown genre is counted, or added if `new_genres`.
    """
    report = Report()
    genres: dict[str, Genre | None] = {}
    known = set(Clip.objects.filter(dataset=into).values_list("dataset_key", flat=True))
    read_row = _Rows()
    for entry in found:
        if entry.genre not in genres:
            genres[entry.genre] = _genre(entry.genre, make=new_genres)
        genre = genres[entry.genre]
        if genre is None:
            report.unknown[entry.genre] = report.unknown.get(entry.genre, 0) + 1
            outcome = "unknown"
        elif _key(entry) in known:
            report.known += 1
            outcome = "known"
        else:
            outcome = _import_one(entry, genre, into, read_row, report)
        if on_entry:
            on_entry(entry, outcome)
    return report


def _genre(word: str, *, make: bool) -> Genre | None:
    genre = genre_for(word)
    if genre is None and make:
        genre = add_genre(by=None, name=word.strip(), description="", colour="")
    return genre


def _import_one(entry: Entry, genre: Genre, into: Dataset, read_row: _Rows, report: Report) -> str:
    clip = Clip(
        dataset=into,
        dataset_key=_key(entry),
        part=entry.part,
        repetition_group=entry.repetition_group[:80],
        genre=genre,
        contributed_genre=genre,
        title=clean_title(entry.title) or title_from(entry.path.name),
        artist=clean_title(entry.artist),
    )
    try:
        if entry.row is not None:
            _store_columns(clip, read_row(entry), trusted=into.trusted)
        else:
            _store_sound(clip, entry.path)
    except DomainError as error:
        report.refused.append((str(entry.path), error.message))
        return error.message
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        report.refused.append((str(entry.path), error.strerror or str(error)))
        return error.strerror or str(error)
    report.added += 1
    return "added"


def _store_sound(clip: Clip, path: Path) -> None:
    """Store a sound and queue its checks, which decide whether it can be trained on."""
    with path.open("rb") as stream:
        file = File(stream, name=path.name)
        _info, clip.sha256 = examine(file)
        clip.size = file.size
        clip.sound.save(path.name, file, save=False)
    try:
        with transaction.atomic():
            clip.save(force_insert=True)
            queue.send_check_on_commit(clip.pk, bulk=True)
    except BaseException:
        clip.sound.delete(save=False)
        raise


def _store_columns(clip: Clip, features: ClipFeatures, *, trusted: bool) -> None:
    """Store log-mel columns; there is no sound to check or to play."""
    clip.status = Clip.Status.APPROVED if trusted else Clip.Status.PENDING
    clip.sha256 = hashlib.sha256(features.levels.tobytes()).hexdigest()
    clip.duration = features.levels.shape[1] * PatchParams().column_seconds
    clip.features_sha256 = features.sha256
    clip.feature_version = FeatureParams().version
    clip.features.save("features.npz", ContentFile(pack_features(features)), save=False)
    # Now, because a trusted clip is approved at once and could be trained on.
    query = fingerprint.from_columns(features.db)
    try:
        with transaction.atomic():
            duplicates.mark(clip, query)
            clip.save(force_insert=True)
    except BaseException:
        clip.features.delete(save=False)
        raise


class _Rows:
    """Rows of log-mel files; each file is read once."""

    def __init__(self) -> None:
        self._files: dict[Path, logmels.LogMelDataset] = {}

    def __call__(self, entry: Entry) -> ClipFeatures:
        if entry.path not in self._files:
            self._files[entry.path] = logmels.load(entry.path)
        whole, row = self._files[entry.path], entry.row or 0
        return ClipFeatures(np.ascontiguousarray(whole.levels[row]), float(whole.floor_db[row]))


def _key(entry: Entry) -> str:
    # Keep the end, which differs more between files than the beginning.
    return entry.key[-KEY_LENGTH:]
