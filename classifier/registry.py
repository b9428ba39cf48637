"""Which classifier answers: the row that is in service, and its network, loaded once per process."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from classifier.core.inference import Classifier
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release, read_metadata

log = logging.getLogger(__name__)

RELEASES = Path(__file__).resolve().parent / "releases"


class NoClassifierError(Exception):
    """No version is in service, or its files cannot be read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version's row and its network, ready to answer."""

    version: ModelVersion
    classifier: Classifier


_lock = threading.Lock()
_loaded: Loaded | None = None


def in_service() -> Loaded:
    """Give the version in service, loading its network if this process has not yet.

    One indexed query tells whether another version was put into service since; the network is read only then.

    Raises
    ------
    NoClassifierError
        If no version is in service. A version whose files are damaged leaves the one loaded before in place.
    """
    global _loaded  # noqa: PLW0603  # the cache of this process, guarded by the lock
    version = ModelVersion.objects.in_service()
    if version is None:
        raise NoClassifierError("No classifier is in service. Run: manage.py sync_release")
    with _lock:
        # The row's number as well as the hash: an answer is saved under the row that is there now.
        if _loaded is None or (_loaded.version.pk, _loaded.version.sha256) != (version.pk, version.sha256):
            try:
                _loaded = Loaded(version, Classifier.load(folder(version)))
            except (OSError, ValueError) as error:
                if _loaded is None:
                    raise NoClassifierError(f"{version.name} cannot be loaded: {error}") from error
                log.exception("%s cannot be loaded; %s stays in service", version.name, _loaded.version.name)
        return _loaded


def folder(version: ModelVersion) -> Path:
    """Give the folder that holds the files of `version`."""
    return RELEASES / version.location


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
        ModelVersion.objects.filter(pk=version.pk).update(is_in_service=True)
        version.is_in_service = True
    return version
