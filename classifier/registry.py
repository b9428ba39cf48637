"""The versions of the classifier: storing them, and loading the one in service once per process."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from classifier import version_files
from classifier.core import tagger
from classifier.core.artifact import ReleaseError, read_metadata
from classifier.core.inference import Classifier
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from genreweb.health import ConcernError
from genreweb.prepared_queries import PreparedQueries

_QUERIES: Final = PreparedQueries()
log = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 20.0
"""How long a process waits before it tries again to load a version whose files it could not load."""
_FORMER = 5
_NAMES_LOCK = 0x67656E766572
"""Held while a version's row is made ("genver" in ASCII)."""

Key = tuple[int, str]


class NoClassifierError(Exception):
    """No version is in service, or its files cannot be read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version's row and its network."""

    version: ModelVersion
    classifier: Classifier

    @property
    def key(self) -> Key:
        # The row's id as well as the hash: an analysis is saved under the row that is there now.
        return self.version.pk, self.version.sha256


_lock = threading.Lock()
_loaded: Loaded | None = None
_failed: tuple[Key, float] | None = None


def in_service() -> Loaded:
    """Give the version in service, loading its network if this process has not yet.

    One indexed query tells whether another version was put into service since; files are read only then.
    Where the files of a version are missing or damaged, the one loaded before stays, and a process that has
    loaded none yet takes the one that served last; the row in service keeps the reason in `fault`.

    Raises
    ------
    NoClassifierError
        If no version is in service, or it cannot be loaded and no former one either.
    """
    global _loaded  # noqa: PLW0603  # the cache of this process, guarded by the lock
    wanted = ModelVersion.objects.filter(is_in_service=True).values_list("pk", "sha256").first()
    if wanted is None:
        raise NoClassifierError("No classifier is in service. Run: manage.py sync_release")
    with _lock:
        if _loaded is None or _loaded.key != wanted:
            _loaded = _follow(wanted, _loaded)
        return _loaded


def _follow(wanted: Key, current: Loaded | None) -> Loaded:
    """Load the version that is wanted; where that fails, stay with the current one or go back to a former."""
    global _failed  # noqa: PLW0603  # the state of this process, guarded by the lock
    if current is not None and _failed is not None:
        key, when = _failed
        if key == wanted and time.monotonic() - when < TRY_AGAIN_SECONDS:
            return current
    version = ModelVersion.objects.filter(pk=wanted[0]).first()
    if version is None:
        raise NoClassifierError("The classifier in service was removed.")
    try:
        loaded = Loaded(version, load(version))
    except (OSError, ValueError) as error:
        _failed = wanted, time.monotonic()
        note_fault(version, str(error))
        other = current or _former(version)
        if other is None:
            raise NoClassifierError(f"{version.name} cannot be loaded: {error}") from error
        log.exception("%s cannot be loaded; %s answers", version.name, other.version.name)
        return other
    _failed = None
    note_fault(version, "")
    return loaded


def _former(version: ModelVersion) -> Loaded | None:
    served = ModelVersion.objects.filter(served_at__isnull=False).exclude(pk=version.pk)
    for candidate in served.order_by("-served_at")[:_FORMER]:
        try:
            return Loaded(candidate, load(candidate))
        except (OSError, ValueError):
            log.exception("%s cannot be loaded either", candidate.name)
    return None


def note_fault(version: ModelVersion, fault: str) -> None:
    """Keep with a version why it cannot be loaded, where every page and process sees it; '' if it can."""
    fault = fault.replace("\0", "")[: ModelVersion._meta.get_field("fault").max_length]
    if fault != version.fault:
        ModelVersion.objects.filter(pk=version.pk).update(fault=fault)
        version.fault = fault


def look_for_faults() -> None:
    """Report to the health check that the version in service cannot be loaded.

    Raises
    ------
    ConcernError
        If so.
    """
    version = ModelVersion.objects.filter(is_in_service=True).exclude(fault="").only("name").first()
    if version is not None:
        raise ConcernError(f"{version.name} is in service but cannot be loaded; a former version answers.")


def name_in_service() -> str:
    """Name the version in service; '' where there is none."""
    rows = _QUERIES.rows("name", [], like=lambda: (_in_service().values_list("name"), []))
    return str(rows[0][0]) if rows else ""


def _in_service() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(is_in_service=True).order_by()


def load(version: ModelVersion) -> Classifier:
    """Load the network of a version, its files checked by their hashes.

    Raises
    ------
    ReleaseError
        A file is missing or damaged, or was made for other features.
    OSError
        The storage cannot be reached.
    """
    with version_files.folder(version, whole=False) as path:
        classifier = Classifier.load(path, tagger=tagger.installed())
    if classifier.metadata["sha256"] != version.sha256:
        raise ReleaseError(f"The files of {version.name} hold another network than its row says.")
    return classifier


def add_version(
    folder: Path,
    *,
    name: str,
    source: str,
    by: User | None = None,
    then: Callable[[ModelVersion], object] | None = None,
) -> ModelVersion:
    """Store a version, whether it was trained, imported or shipped: its files first, then its row.

    Parameters
    ----------
    folder
        Holds ``metadata.json``, the files that it names and whatever further training needs; what is no plain
        file is left out. May be removed afterwards.
    name
        Shown to people. Where it is taken a number is added.
    then
        Called in the transaction that makes the row; what it raises undoes row and files.

    Raises
    ------
    ReleaseError
        The folder does not hold a version that can be loaded here.
    OSError
        The files could not be stored.
    """
    with _stored(folder) as fields, transaction.atomic():
        version = ModelVersion.objects.create(name=_free_name(name), source=source, added_by=by, **fields)
        if then is not None:
            then(version)
    return version


@contextlib.contextmanager
def _stored(folder: Path) -> Iterator[dict[str, Any]]:
    """Store the files of a version and give the fields of its row; what the block raises removes them."""
    classifier = Classifier.load(folder)
    location, files = version_files.store(folder)
    try:
        yield {
            "location": location,
            "files": files,
            "sha256": classifier.metadata["sha256"],
            "labels": list(classifier.labels),
            "feature_version": classifier.metadata["feature_version"],
            "metadata": dict(classifier.metadata),
        }
    except BaseException:
        version_files.remove([f"{location}/{file}" for file in files])
        raise


class _OvertakenError(Exception):
    """Another process stored the release at the same time and was first."""


def store_release(folder: Path, *, then: Callable[[ModelVersion], object] | None = None) -> ModelVersion:
    """Store the release that ships, unless it is stored; safe where several processes start at once.

    Its row is known by the name in the metadata. Where the files in `folder` are no longer those that were
    stored, they are stored anew for the same row.

    Parameters
    ----------
    then
        Called in the transaction that makes a new row, as in `add_version`.

    Raises
    ------
    ReleaseError
        The folder does not hold a version that can be loaded here.
    OSError
        The files could not be stored.
    """
    metadata, entries = read_metadata(folder), version_files.entries_in(folder)
    name, source = metadata["name"], ModelVersion.Source.RELEASE
    # The second is a bundle of the release that was imported before the program brought it.
    same = Q(source=source, metadata__name=name) | Q(name=name, sha256=metadata["sha256"])
    rows = ModelVersion.objects.filter(same)

    def unless_overtaken(version: ModelVersion) -> None:
        if rows.exclude(pk=version.pk).exists():
            raise _OvertakenError
        if then is not None:
            then(version)

    version = rows.order_by("pk").first()
    try:
        if version is None:
            return add_version(folder, name=name, source=source, then=unless_overtaken)
        found = version.files, version.sha256, version.source
        if found != (entries, metadata["sha256"], source):
            with _stored(folder) as fields:
                _replace(version, {**fields, "source": source})
    except _OvertakenError:
        return rows.earliest("pk")
    return version


def restore(version: ModelVersion, folder: Path) -> None:
    """Store the files of a version whose own were lost.

    Raises
    ------
    ReleaseError, OSError
        As in `add_version`.
    """
    with contextlib.suppress(_OvertakenError), _stored(folder) as fields:
        _replace(version, {"location": fields["location"], "files": fields["files"]})


def _replace(version: ModelVersion, fields: Mapping[str, Any]) -> None:
    """Let a row name other files; the former ones belong to no row then and are tidied."""
    rows = ModelVersion.objects.filter(pk=version.pk, location=version.location)
    if not rows.update(**fields, fault=""):
        raise _OvertakenError
    version.refresh_from_db()


def _free_name(name: str) -> str:
    """Give `name`, with a number where a version has it already; of two that ask at once, one waits."""
    # Where there is no row yet none can be locked.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NAMES_LOCK])
    length = ModelVersion._meta.get_field("name").max_length or 80
    taken = set(ModelVersion.objects.values_list("name", flat=True))
    wanted, number = name[:length], 1
    while wanted in taken:
        number += 1
        end = f" ({number})"
        wanted = f"{name[: length - len(end)]}{end}"
    return wanted


def sync_genres() -> None:
    """Make the rows of the shipped genres that are not there yet."""
    there = set(Genre.objects.values_list("slug", flat=True))
    Genre.objects.bulk_create(
        (
            Genre(
                slug=genre.slug,
                name=genre.name,
                description=genre.description,
                colour=genre.colour,
                position=position,
            )
            for position, genre in enumerate(SHIPPED_GENRES)
            if genre.slug not in there
        ),
        # Several processes start at once.
        ignore_conflicts=True,
    )
