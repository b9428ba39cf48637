"""Nearest tracks: the right ones, in the right order, and only those that the asker may see."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.core.chroma import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.neighbours import neighbours

pytestmark = pytest.mark.django_db

Heard = Callable[..., Track]


@pytest.fixture
def version() -> ModelVersion:
    return ModelVersion.objects.create(
        name="test", source="release", location="test", sha256="0" * 64, labels=["blues"], feature_version="1"
    )


@pytest.fixture
def heard(version: ModelVersion) -> Heard:
    """Make a track whose descriptor points in the direction of `angle` degrees in its first plane."""

    def make(angle: float, *, owner: User | None, descriptor_version: str = DESCRIPTOR_VERSION) -> Track:
        vector = np.zeros(DESCRIPTOR_SIZE, np.float32)
        vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        track = Track.objects.create(
            owner=owner,
            title=f"{angle}°",
            visibility=Track.Visibility.PRIVATE if owner else Track.Visibility.CATALOGUE,
            sound="sounds/x.wav",
            sha256=uuid.uuid4().hex * 2,
            size=1,
        )
        analysis = Analysis.objects.create(
            track=track,
            model_version=version,
            feature_version="1",
            descriptor_version=descriptor_version,
            genre="blues",
            confidence=1,
            unsure=False,
            probabilities={"blues": 1.0},
            timeline=[],
            descriptor=vector,
            peaks=[],
        )
        Track.objects.filter(pk=track.pk).update(status=Track.Status.DONE, current=analysis)
        track.refresh_from_db()
        return track

    return make


@pytest.fixture
def people() -> tuple[User, User]:
    return User.objects.create_user("a@example.org", "x"), User.objects.create_user("b@example.org", "x")


def test_the_nearest_come_first_with_their_distances(heard: Heard, people: tuple[User, User]) -> None:
    owner, _ = people
    asked = heard(0, owner=owner)
    expected = [heard(angle, owner=None).pk for angle in (10, 20, 40)]
    heard(170, owner=None)
    found = neighbours(track=asked, user=owner)
    assert [near.track.pk for near in found] == expected
    assert [near.rank for near in found] == [1, 2, 3]
    assert found[0].distance == pytest.approx(2 * np.sin(np.radians(5)), abs=1e-5)


def test_never_itself_nor_a_copy_of_the_same_file(heard: Heard, people: tuple[User, User]) -> None:
    owner, _ = people
    asked, copy, near = heard(0, owner=owner), heard(0, owner=None), heard(50, owner=None)
    Track.objects.filter(pk=copy.pk).update(sha256=asked.sha256)
    assert [found.track.pk for found in neighbours(track=asked, user=owner)] == [near.pk]


def test_never_one_that_the_asker_may_not_see(heard: Heard, people: tuple[User, User]) -> None:
    owner, other = people
    asked, hidden, public = heard(0, owner=None), heard(1, owner=owner), heard(90, owner=None)
    assert [found.track.pk for found in neighbours(track=asked, user=other)] == [public.pk]
    assert [found.track.pk for found in neighbours(track=asked, user=AnonymousUser())] == [public.pk]
    assert [found.track.pk for found in neighbours(track=asked, user=owner)] == [hidden.pk, public.pk]


def test_only_descriptors_of_the_same_kind_are_compared(heard: Heard, people: tuple[User, User]) -> None:
    asked = heard(0, owner=people[0])
    heard(0, owner=None, descriptor_version="of another kind")
    assert neighbours(track=asked, user=people[0]) == []


def test_a_track_without_a_verdict_has_none(people: tuple[User, User], heard: Heard) -> None:
    heard(0, owner=None)
    waiting = Track.objects.create(owner=people[0], title="t", sound="sounds/y", sha256="1" * 64, size=1)
    assert neighbours(track=waiting, user=people[0]) == []


def test_enough_are_found_among_many_that_may_not_be_seen(heard: Heard, people: tuple[User, User]) -> None:
    owner, other = people
    asked = heard(0, owner=None)
    for n in range(150):
        heard(n / 100, owner=owner)
    public = [heard(angle, owner=None).pk for angle in (30, 60, 90)]
    with connection.cursor() as cursor:
        # As on a large site, where the planner takes the index.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert [found.track.pk for found in neighbours(track=asked, user=other)] == public


def test_one_query_however_many(heard: Heard, people: tuple[User, User]) -> None:
    asked = heard(0, owner=people[0])
    for angle in range(1, 8):
        heard(angle, owner=None)
    assert asked.current is not None
    with CaptureQueriesContext(connection) as queries:
        found = neighbours(track=asked, user=people[0], k=7)
        shown = {(near.track.shown_genre, str(near.track.current)) for near in found}
    assert shown == {("blues", "blues (100%)")}
    assert len(queries) == 1
