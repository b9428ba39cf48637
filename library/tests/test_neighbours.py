"""Nearest tracks: the right ones, in the right order, and only those that the asker may see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.neighbours import neighbours

pytestmark = pytest.mark.django_db

Heard = Callable[..., Track]


def test_the_nearest_come_first_with_their_distances(heard_track: Heard, owner: User, other: User) -> None:
    asked = heard_track(owner, angle=0)
    expected = [heard_track(None, angle=angle).pk for angle in (10, 20, 40)]
    heard_track(None, angle=170)
    found = neighbours(track=asked, user=owner)
    assert [near.track.pk for near in found] == expected
    assert [near.rank for near in found] == [1, 2, 3]
    assert found[0].distance == pytest.approx(2 * np.sin(np.radians(5)), abs=1e-5)


def test_never_itself_nor_a_copy_of_the_same_file(heard_track: Heard, owner: User, other: User) -> None:
    asked, copy, near = heard_track(owner, angle=0), heard_track(None, angle=0), heard_track(None, angle=50)
    Track.objects.filter(pk=copy.pk).update(sha256=asked.sha256)
    assert [found.track.pk for found in neighbours(track=asked, user=owner)] == [near.pk]


def test_never_one_that_the_asker_may_not_see(heard_track: Heard, owner: User, other: User) -> None:
    asked, hidden, public = (
        heard_track(None, angle=0),
        heard_track(owner, angle=1),
        heard_track(None, angle=90),
    )
    assert [found.track.pk for found in neighbours(track=asked, user=other)] == [public.pk]
    assert [found.track.pk for found in neighbours(track=asked, user=AnonymousUser())] == [public.pk]
    assert [found.track.pk for found in neighbours(track=asked, user=owner)] == [hidden.pk, public.pk]


def test_only_descriptors_of_the_same_kind_are_compared(heard_track: Heard, owner: User, other: User) -> None:
    asked = heard_track(owner, angle=0)
    Analysis.objects.filter(track=heard_track(None, angle=0)).update(descriptor_version="of another kind")
    assert neighbours(track=asked, user=owner) == []


def test_a_track_without_a_verdict_has_none(heard_track: Heard, owner: User) -> None:
    heard_track(None, angle=0)
    waiting = Track.objects.create(owner=owner, title="t", sound="sounds/y", sha256="1" * 64, size=1)
    assert neighbours(track=waiting, user=owner) == []


def test_enough_are_found_among_many_that_are_hidden(heard_track: Heard, owner: User, other: User) -> None:
    asked = heard_track(None, angle=0)
    for n in range(150):
        heard_track(owner, angle=n / 100)
    public = [heard_track(None, angle=angle).pk for angle in (30, 60, 90)]
    with connection.cursor() as cursor:
        # As on a large site, where the planner takes the index.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert [found.track.pk for found in neighbours(track=asked, user=other)] == public


def test_one_query_however_many(heard_track: Heard, owner: User, other: User) -> None:
    asked = heard_track(owner, angle=0)
    for angle in range(1, 8):
        heard_track(None, angle=angle)
    assert asked.current is not None
    with CaptureQueriesContext(connection) as queries:
        found = neighbours(track=asked, user=owner, k=7)
        shown = {(near.track.shown_genre, str(near.track.current)) for near in found}
    assert shown == {("blues", "blues (82%)")}
    assert len(queries) == 1
