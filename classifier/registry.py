"""Which classifier answers: the row that is in service, and its network, loaded once per process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from classifier import version_files
from classifier.core.inference import Classifier, ReleaseError
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release, read_metadata
from genreweb.accounts.models import User
from genreweb.health import ConcernError

log = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 20.0
"""How long a process leaves a version alone whose files it could not load."""
_FORMER = 5

Key = tuple[int, str]


class NoClassifierError(Exception):
    """No version is in service, or its files cannot be read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version's row and its network, ready to answer."""

    version: ModelVersion
    classifier: Classifier

    @property
    def key(self) -> Key:
        # The row's number as well as the hash: an answer is saved under the row that is there now.
        return self.version.pk, self.version.sha256


_lock = threading.Lock()
_loaded: Loaded | None = None
_failed: tuple[Key, float] | None = None


def in_service() -> Loaded:
    """Give the version in service, loading its network if this process has not yet.

    One indexed query tells whether another version was put into service since; files are read only then.
    A version whose files are missing or damaged leaves the one loaded before in place, and in a process that
    has loaded none yet, the one that served last; the row in service says so in `fault`.

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
    global _failed  # noqa: PLW0603  # the memory of this process, guarded by the lock
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
    """Tell whoever watches over the site that another version answers than the one in service."""
    version = ModelVersion.objects.filter(is_in_service=True).exclude(fault="").only("name").first()
    if version is not None:
        raise ConcernError(f"{version.name} is in service but cannot be loaded; a former version answers.")


def name_in_service() -> str:
    """Name the version in service; '' where there is none."""
    return ModelVersion.objects.filter(is_in_service=True).values_list("name", flat=True).first() or ""


def load(version: ModelVersion) -> Classifier:
    """Read the network of any version, checked by its hashes.

    Raises
    ------
    ReleaseError
        A file is missing or damaged, or was made for other features.
    OSError
        The storage is away.
    """
    with version_files.folder(version, whole=False) as path:
        classifier = Classifier.load(path)
    if classifier.metadata["sha256"] != version.sha256:
        raise ReleaseError(f"The files of {version.name} hold another network than its row says.")
    return classifier


def add_version(
    folder: Path,
    *,
    name: str,
    source: str,
    by: User | None = None,
    then: Callable[[ModelVersion], None] | None = None,
) -> ModelVersion:
    """Keep a trained or imported version: its files first, read back and compared, then its row.

    Parameters
    ----------
    folder
        Holds ``metadata.json``, the files it names and whatever further learning needs; what is no plain
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
    classifier = Classifier.load(folder)
    location, files = version_files.store(folder)
    try:
        with transaction.atomic():
            version = ModelVersion.objects.create(
                name=_free_name(name),
                source=source,
                location=location,
                files=files,
                sha256=classifier.metadata["sha256"],
                labels=list(classifier.labels),
                feature_version=classifier.metadata["feature_version"],
                metadata=dict(classifier.metadata),
                added_by=by,
            )
            if then is not None:
                then(version)
    except BaseException:
        version_files.remove([f"{location}/{file}" for file in files])
        raise
    return version


def _free_name(name: str) -> str:
    """Give `name`, with a number where a version has it already; of two that ask at once, one waits."""
    # Nothing is there to be locked yet: whoever makes versions holds the rows that are.
    list(ModelVersion.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
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
    for position, genre in enumerate(SHIPPED_GENRES):
        Genre.objects.get_or_create(
            slug=genre.slug,
            defaults={
                "name": genre.name,
                "description": genre.description,
                "colour": genre.colour,
                "position": position,
            },
        )


@transaction.atomic
def sync_release() -> ModelVersion:
    """Make the rows of the shipped genres and of the shipped classifier; put it into service if none is.

    Run at every start. What a curator changed is left alone.
    """
    sync_genres()
    path = current_release()
    metadata = read_metadata(path)
    # The files of a release are part of the program: where they differ from the row, the row is the old one.
    version, made = ModelVersion.objects.update_or_create(
        name=metadata["name"],
        defaults={
            "source": ModelVersion.Source.RELEASE,
            "location": path.name,
            "sha256": metadata["sha256"],
            "labels": metadata["labels"],
            "feature_version": metadata["feature_version"],
            "metadata": metadata,
        },
    )
    champion = ModelVersion.objects.select_for_update().filter(is_in_service=True).first()
    # A newer shipped version follows an older shipped one; one that a curator chose stays.
    if champion is None or (made and champion.source == ModelVersion.Source.RELEASE):
        ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
        version.is_in_service, version.served_at = True, timezone.now()
        version.save(update_fields=["is_in_service", "served_at"])
    return version
