"""Fixtures of the library's tests: users, API clients, sounds and tracks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from numpy.typing import NDArray
from pytest_django import Settings
from rest_framework.test import APIClient

from classifier import registry
from classifier.core.chroma import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from classifier.core.lenses import SIZES, VERSION
from classifier.core.tags import TAGS, Strengths
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import CURATORS, ApiToken, User
from library.models import Analysis, Track, TrackLens
from library.services import vector_engine
from library.services.analysis import analyse_track
from library.services.tags import index_tags
from library.services.tracks import add_track
from library.tests.sounds import chords, wav
from library.tests.storages import stored_names
from library.tests.subsonic import Player
from training.services.releases import sync_release

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

LABELS = [genre.slug for genre in SHIPPED_GENRES]


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> None:
    """Keep files in memory, without paths; serve static files unhashed; reset rate limits."""
    settings.STORAGES = {
        "default": {"BACKEND": "library.tests.storages.PathlessStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()


@pytest.fixture
def stored() -> Callable[[], list[str]]:
    """Return a function that lists all stored files but those of classifiers that have a row."""

    def names() -> list[str]:
        of_versions = tuple(f"{place}/" for place in ModelVersion.objects.values_list("location", flat=True))
        return sorted(name for name in stored_names(default_storage) if not name.startswith(of_versions))

    return names


# --- people ----------------------------------------------------------------------------------------------
@pytest.fixture
def anonymous() -> AnonymousUser:
    return AnonymousUser()


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner@example.org")


@pytest.fixture
def other(db: None) -> User:
    return User.objects.create_user("other@example.org")


@pytest.fixture
def curator(db: None) -> User:
    person = User.objects.create_user("curator@example.org")
    person.groups.add(Group.objects.get_or_create(name=CURATORS)[0])
    return person


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.org")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every kind of visitor and user."""

    anonymous: AnonymousUser
    owner: User
    other: User
    curator: User
    staff: User

    @property
    def strangers(self) -> list[User]:
        """Users except the owner."""
        return [self.other, self.curator, self.staff]

    @property
    def public(self) -> list[User | AnonymousUser]:
        """Everybody but the owner."""
        return [self.anonymous, *self.strangers]


@pytest.fixture
def matrix(anonymous: AnonymousUser, owner: User, other: User, curator: User, staff: User) -> Matrix:
    return Matrix(anonymous, owner, other, curator, staff)


Api = Callable[[User | AnonymousUser], APIClient]


@pytest.fixture
def api(db: None) -> Api:
    """Return an API client with a user's token, or without one for visitors."""

    def make(person: User | AnonymousUser) -> APIClient:
        client = APIClient()
        if isinstance(person, User):
            _row, secret = ApiToken.objects.create(user=person)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return make


@pytest.fixture
def owner_api(api: Api, owner: User) -> APIClient:
    return api(owner)


@pytest.fixture
def no_bin(settings: Settings) -> None:
    """Have the site delete at once what people delete."""
    settings.BIN_DAYS = 0


# --- tracks ----------------------------------------------------------------------------------------------
@pytest.fixture
def genres(db: None) -> dict[str, Genre]:
    """The ten shipped genres by slug."""
    registry.sync_genres()
    return Genre.objects.in_bulk(field_name="slug")


@pytest.fixture
def version(db: None) -> ModelVersion:
    """The row of a version in service, without files."""
    return ModelVersion.objects.create(
        name="test",
        source=ModelVersion.Source.TRAINED,
        location="test",
        sha256="0" * 64,
        labels=LABELS,
        feature_version="1",
        metadata={"test": {"n": 290, "accuracy": {"value": 0.61, "low": 0.55, "high": 0.66}}},
        is_in_service=True,
    )


@pytest.fixture
def queued_track(db: None) -> Callable[..., Track]:
    """Make a stored track that waits for a worker."""

    def make(owner: User | None, **fields: Any) -> Track:
        made: dict[str, Any] = {
            "title": "Song",
            "visibility": Track.Visibility.PRIVATE if owner else Track.Visibility.CATALOGUE,
            "source": Track.Source.UPLOAD if owner else Track.Source.CATALOGUE,
            "original_name": "song.wav",
            "sha256": uuid.uuid4().hex * 2,
            "size": 4,
            "queued_at": timezone.now(),
            **fields,
        }
        track = Track(owner=owner, **made)
        track.sound.save("song.wav", ContentFile(b"RIFF"), save=False)
        track.save(force_insert=True)
        return track

    return make


def grouped(strengths: dict[str, float]) -> Strengths:
    """Put strengths by tag into their groups, as an analysis holds them."""
    groups: Strengths = {}
    for slug, strength in strengths.items():
        groups.setdefault(TAGS[slug].group, {})[slug] = strength
    return groups


def pointing(degrees: float, size: int) -> NDArray[np.float32]:
    """A unit vector in the plane of the first two dimensions."""
    vector = np.zeros(size, np.float32)
    vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def index_in(track: Track, lenses: dict[str, float]) -> None:
    """Make the rows of a track by lens, each in the direction of so many degrees."""
    TrackLens.objects.bulk_create(
        TrackLens(
            track=track,
            owner=track.owner,
            public=track.is_in_catalogue,
            lens=lens,
            vector=pointing(degrees, SIZES[lens]),
        )
        for lens, degrees in lenses.items()
    )


@pytest.fixture
def done_track(queued_track: Callable[..., Track], version: ModelVersion) -> Callable[..., Track]:
    """Make a track with a made-up analysis, without a classifier.

    Its descriptor and its vector of harmony point in the direction of `angle` degrees, so that distances are
    known, as do those of other lenses by `lenses`. `tags` are strengths by tag, as a tagger would have given;
    `style` makes it none of the genres.
    """

    def make(
        owner: User | None,
        *,
        genre: str = "blues",
        confidence: float = 0.82,
        unsure: bool = False,
        angle: float = 0.0,
        lenses: dict[str, float] | None = None,
        fingerprint: list[int] | None = None,
        key: str = "",
        tags: dict[str, float] | None = None,
        style: str = "",
        **fields: Any,
    ) -> Track:
        track = queued_track(owner, **{"duration": 3.0, "sample_rate": 22050, "channels": 1, **fields})
        rest = (1 - confidence) / (len(LABELS) - 1)
        probabilities = {label: confidence if label == genre else rest for label in LABELS}
        analysis = Analysis(
            track=track,
            model_version=version,
            feature_version="1",
            descriptor_version=DESCRIPTOR_VERSION,
            genre=genre,
            confidence=confidence,
            unsure=unsure or bool(style),
            style=style,
            tags=grouped(tags or {}),
            tag_version="test-1" if tags else "",
            probabilities=probabilities,
            timeline=[
                {"start": 0.0, "end": 1.5, "probabilities": probabilities},
                {"start": 1.5, "end": 3.0, "probabilities": probabilities},
            ],
            descriptor=pointing(angle, DESCRIPTOR_SIZE),
            fingerprint=fingerprint,
            key=key,
            lens_version=VERSION,
            peaks=[-100, 100, -50, 127],
            ticks={name: [[0.5, "1 kHz"]] for name in Analysis.PICTURES},
        )
        for name in Analysis.PICTURES:
            getattr(analysis, name).save(f"{name}.webp", ContentFile(b"RIFFwebp"), save=False)
        analysis.save(force_insert=True)
        index_tags(analysis)
        index_in(track, {"harmony": angle, **(lenses or {})})
        track.status, track.current, track.finished_at = Track.Status.DONE, analysis, timezone.now()
        track.save(update_fields=["status", "current", "finished_at"])
        return track

    return make


@pytest.fixture
def classifier_in_service(db: None) -> ModelVersion:
    """Put the shipped classifier into service, with its genres."""
    return sync_release()


@pytest.fixture
def finished_track(classifier_in_service: ModelVersion) -> Callable[..., Track]:
    """Make a track and let it be analysed as a worker does, in this process."""

    def make(owner: User, *, sound: bytes | None = None, seed: int = 0, name: str = "song.wav") -> Track:
        data = wav(chords(seed=seed)) if sound is None else sound
        track = add_track(owner=owner, file=ContentFile(data, name=name), name=name).track
        analyse_track(track_id=track.pk)
        return Track.objects.with_verdict().get(pk=track.pk)

    return make


@pytest.fixture
def player(owner: User) -> Player:
    """Give a music player of the owner's, which calls by a token."""
    return Player(owner)


# --- the second engine for vectors -----------------------------------------------------------------------
@pytest.fixture
def engine(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    """Give the site an engine that holds nothing yet."""
    settings.QDRANT_URL = "http://qdrant.invalid:6333"
    # Imported here: it takes a second, and few tests need it.
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(tmp_path / "engine"))
    monkeypatch.setattr(vector_engine, "_client", lambda seconds: client)
    monkeypatch.setattr(vector_engine, "_rests_until", {})
    yield client
    client.close()


@pytest.fixture
def catalogue(done_track: Callable[..., Track]) -> list[Track]:
    """Forty public tracks, a degree apart by harmony, which are enough for a search."""
    return [done_track(None, title=f"at {degrees}", angle=degrees) for degrees in range(1, 41)]
