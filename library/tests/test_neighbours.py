"""Nearest tracks: the right ones, in the right order, and only those that the user may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from genreweb.accounts.models import User
from library.models import Track, TrackLens
from library.services.lens_queries import query_of
from library.services.similar import Neighbour, similar

pytestmark = pytest.mark.django_db

MakeTrack = Callable[..., Track]


def neighbours(*, track: Track, user: User | AnonymousUser, **asked: Any) -> tuple[Neighbour, ...]:
    return similar(viewer=user, query=query_of([track]), **asked).neighbours


def test_the_nearest_come_first_with_their_distances(done_track: MakeTrack, owner: User, other: User) -> None:
    track = done_track(owner, angle=0)
    expected = [done_track(None, angle=angle).pk for angle in (10, 20, 40)]
    done_track(None, angle=170)
    found = neighbours(track=track, user=owner)
    assert [near.track.pk for near in found] == expected
    assert [near.rank for near in found] == [1, 2, 3]
    assert found[0].distance == pytest.approx(2 * np.sin(np.radians(5)), abs=1e-3)


def test_never_itself_nor_a_copy_of_the_same_file(done_track: MakeTrack, owner: User, other: User) -> None:
    track, copy, near = (
        done_track(owner, angle=0),
        done_track(None, angle=0),
        done_track(None, angle=50),
    )
    Track.objects.filter(pk=copy.pk).update(sha256=track.sha256)
    assert [found.track.pk for found in neighbours(track=track, user=owner)] == [near.pk]


def test_never_one_that_the_asker_may_not_see(done_track: MakeTrack, owner: User, other: User) -> None:
    track, hidden, public = (
        done_track(None, angle=0),
        done_track(owner, angle=1),
        done_track(None, angle=90),
    )
    assert [found.track.pk for found in neighbours(track=track, user=other)] == [public.pk]
    assert [found.track.pk for found in neighbours(track=track, user=AnonymousUser())] == [public.pk]
    assert [found.track.pk for found in neighbours(track=track, user=owner)] == [hidden.pk, public.pk]


def test_only_lenses_of_the_same_version_are_compared(done_track: MakeTrack, owner: User) -> None:
    track = done_track(owner, angle=0)
    TrackLens.objects.filter(track=done_track(None, angle=0)).update(version="of another kind")
    near = done_track(None, angle=30)
    assert [found.track.pk for found in neighbours(track=track, user=owner)] == [near.pk]


@pytest.mark.slow
def test_enough_are_found_among_many_that_are_hidden(done_track: MakeTrack, owner: User, other: User) -> None:
    track = done_track(None, angle=0)
    for n in range(150):
        done_track(owner, angle=n / 100)
    public = [done_track(None, angle=angle).pk for angle in (30, 60, 90)]
    with connection.cursor() as cursor:
        # As on a large site, where the planner takes the index.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert [found.track.pk for found in neighbours(track=track, user=other)] == public


def test_as_many_queries_however_many_neighbours(done_track: MakeTrack, owner: User, other: User) -> None:
    track = done_track(owner, angle=0)
    done_track(None, angle=1)
    with CaptureQueriesContext(connection) as few:
        neighbours(track=track, user=owner, k=7)
    for angle in range(2, 8):
        done_track(None, angle=angle)
    with CaptureQueriesContext(connection) as many:
        found = neighbours(track=track, user=owner, k=7)
        shown = {(near.track.shown_genre, str(near.track.current)) for near in found}
    assert shown == {("blues", "blues (82%)")}
    assert len(found) == 7
    assert len(many) == len(few)
