"""Import datasets: sounds are queued for their checks, log-mels are stored as they are."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from library.services.genres import GenreWords
from library.services.importing import Listing, Outcome, Report, digest_of, reason_of, stamp_of
from library.services.tracks import clean_title, examine, title_from
from training.models import Clip, Dataset
from training.services import duplicates, queue
from training.services.clips import delete_clips
from training.services.features import ClipFeatures, pack_features
from training.services.layouts import Entry

log = logging.getLogger(__name__)

KEY_LENGTH = 500


def open_dataset(*, name: str, source: str, licence: str, trusted: bool) -> Dataset:
    """Get or create the dataset of that name; a second import keeps its metadata."""
    row, _made = Dataset.objects.get_or_create(
        name=clean_title(name)[:120],
        defaults={"source": source[:500], "licence": clean_title(licence), "trusted": trusted},
    )
    return row


def import_entries(
    found: Listing[Entry],
    *,
    into: Dataset,
    new_genres: bool = False,
    check: bool = False,
    on_entry: Callable[[Entry, Outcome], None] | None = None,
) -> Report:
    """Bring a dataset up to date with what was found.

    Each entry is its own transaction, so that an interrupted import can be continued. What cannot be read is
    listed, and the import goes on. A clip whose recording is another one by now is replaced by a new clip.

    Parameters
    ----------
    new_genres
        Add the genres that the site does not have, else their entries are left out.
    check
        Compare the content even of files whose size and time are as they were.

    Raises
    ------
    OSError
        If there is no room left to store anything.
    """
    run = _Import(into, GenreWords(make=new_genres), check=check)
    for entry in found.entries:
        outcome = run.take(entry)
        if on_entry:
            on_entry(entry, outcome)
    return run.report


class _Import:
    """One run of an import."""

    def __init__(self, into: Dataset, genres: GenreWords, *, check: bool) -> None:
        self.report = Report()
        self._into = into
        self._genres = genres
        self._check = check
        self._source = _Source()
        self._taken: set[str] = set()
        clips = Clip.objects.filter(dataset=into).only(*_COMPARED)
        self._known = {clip.dataset_key: clip for clip in clips}

    def take(self, entry: Entry) -> Outcome:
        key = _key(entry)
        if problem := entry.problem or ("is listed twice" if key in self._taken else ""):
            return self.report.refuse(entry.path, problem)
        self._taken.add(key)
        genre = self._genres(entry.genre)
        if genre is None:
            self.report.miss_genre(entry.genre, self._genres.unknown[entry.genre])
            return self.report.count("refused")
        try:
            return self.report.count(self._take(entry, genre, self._known.get(key)))
        except DomainError as error:
            return self.report.refuse(entry.path, error.message)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            return self.report.refuse(entry.path, reason_of(error))

    def _take(self, entry: Entry, genre: Genre, known: Clip | None) -> Outcome:
        stamp = self._source.stamp(entry)
        if known is None:
            self._add(entry, genre, stamp=stamp)
            return "added"
        if self._check or stamp != known.file_stamp:
            if self._source.digest(entry) != known.sha256:
                self._add(entry, genre, stamp=stamp, instead_of=known)
                return "changed"
            if stamp != known.file_stamp:
                Clip.objects.filter(pk=known.pk).update(file_stamp=stamp)
        return "changed" if _correct(known, entry, genre) else "same"

    def _add(self, entry: Entry, genre: Genre, *, stamp: str, instead_of: Clip | None = None) -> None:
        clip = Clip(
            dataset=self._into,
            dataset_key=_key(entry),
            file_stamp=stamp,
            genre=genre,
            contributed_genre=genre,
            **{"title": title_from(entry.name), **_words(entry)},
        )
        if entry.row is not None:
            columns = self._source.columns(entry)
            _store_columns(clip, columns, trusted=self._into.trusted, instead_of=instead_of)
        else:
            _store_sound(clip, entry, instead_of=instead_of)


def _words(entry: Entry) -> dict[str, str]:
    """Clean what an entry says; what it does not say is left out."""
    said = {
        "title": entry.title and clean_title(entry.title),
        "artist": entry.artist if entry.artist is None else clean_title(entry.artist),
        "part": entry.part,
        "repetition_group": entry.repetition_group and entry.repetition_group[:80],
    }
    return {name: word for name, word in said.items() if word is not None and (word or name != "title")}


def _correct(clip: Clip, entry: Entry, genre: Genre) -> bool:
    """Bring the words and the label of a clip up to date; a curator's label stays."""
    changed: dict[str, Any] = {
        name: word for name, word in _words(entry).items() if getattr(clip, name) != word
    }
    if genre.pk != clip.contributed_genre_id:
        changed["contributed_genre"] = genre
        if clip.genre_id == clip.contributed_genre_id:
            changed["genre"] = genre
            if clip.opinion:
                changed["disputed"] = 1.0 - clip.opinion.get(genre.slug, 0.0)
    if not changed:
        return False
    with transaction.atomic():
        if "part" in changed and clip.features:
            # Whether it may hold a clip of the test set depends on the part.
            clip.part = changed["part"]
            duplicates.mark_again(clip)
            changed |= {name: getattr(clip, name) for name in duplicates.FIELDS}
        Clip.objects.filter(pk=clip.pk).update(**changed)
    return True


_COMPARED = (
    *("dataset_id", "dataset_key", "file_stamp", "sha256", "title", "artist", "part", "repetition_group"),
    *("genre_id", "contributed_genre_id", "opinion", "features", "features_sha256", "feature_version"),
)


def _store_sound(clip: Clip, entry: Entry, *, instead_of: Clip | None) -> None:
    """Store a sound and queue its checks, which decide whether it can be trained on."""
    with entry.path.open("rb") as stream:
        file = File(stream, name=entry.name)
        _info, clip.sha256 = examine(file)
        clip.size = file.size
        clip.sound.save(entry.name, file, save=False)
    try:
        with transaction.atomic():
            _make_room(instead_of)
            clip.save(force_insert=True)
            queue.send_check_on_commit(clip.pk, bulk=True)
    except BaseException:
        clip.sound.delete(save=False)
        raise


def _store_columns(clip: Clip, features: ClipFeatures, *, trusted: bool, instead_of: Clip | None) -> None:
    """Store log-mel columns; there is no sound to check or to play."""
    clip.status = Clip.Status.APPROVED if trusted else Clip.Status.PENDING
    clip.sha256 = _digest_of_columns(features)
    clip.duration = features.levels.shape[1] * PatchParams().column_seconds
    clip.features_sha256 = features.sha256
    clip.feature_version = FeatureParams().version
    clip.features.save("features.npz", ContentFile(pack_features(features)), save=False)
    # Now, because a trusted clip is approved at once and could be trained on.
    query = fingerprint.from_columns(features.db)
    try:
        with transaction.atomic():
            _make_room(instead_of)
            duplicates.mark(clip, query)
            clip.save(force_insert=True)
    except BaseException:
        clip.features.delete(save=False)
        raise


def _make_room(former: Clip | None) -> None:
    """Delete the clip whose place another recording takes. Versions that learnt it are flagged by the gap."""
    if former is not None:
        delete_clips(Clip.objects.filter(pk=former.pk))


def _digest_of_columns(features: ClipFeatures) -> str:
    return hashlib.sha256(features.levels.tobytes()).hexdigest()


class _Source:
    """The files that entries refer to; a log-mel file is read once for all its rows."""

    def __init__(self) -> None:
        self._files: dict[Path, logmels.LogMelDataset] = {}
        self._stamps: dict[Path, str] = {}

    def stamp(self, entry: Entry) -> str:
        if entry.row is None:
            return stamp_of(entry.path)
        if entry.path not in self._stamps:
            file = next(iter(sorted(entry.path.glob("logmel_*.npz"))), entry.path)
            self._stamps[entry.path] = stamp_of(file)
        return self._stamps[entry.path]

    def digest(self, entry: Entry) -> str:
        return digest_of(entry.path) if entry.row is None else _digest_of_columns(self.columns(entry))

    def columns(self, entry: Entry) -> ClipFeatures:
        if entry.path not in self._files:
            self._files[entry.path] = logmels.load(entry.path)
        whole, row = self._files[entry.path], entry.row or 0
        return ClipFeatures(np.ascontiguousarray(whole.levels[row]), float(whole.floor_db[row]))


def _key(entry: Entry) -> str:
    # Keep the end, which differs more between files than the beginning.
    return entry.key[-KEY_LENGTH:]
