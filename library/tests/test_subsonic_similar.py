"""OpenSubsonic: similar songs, and the extension sonicSimilarity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from genreweb.accounts.models import User
from library.models import Track
from library.subsonic import ids
from library.tests.subsonic import Player, titles

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


@pytest.fixture
def circle(owner: User, other: User, done_track: Make) -> dict[int, Track]:
    """Tracks by their angle: the distance of two is known. That at 15 degrees is somebody else's."""
    tracks = {
        angle: done_track(
            owner if angle == 0 else None, title=f"{angle}", angle=float(angle), artist="Ann", album="One"
        )
        for angle in (0, 10, 20, 40, 90)
    }
    done_track(other, title="15", angle=15.0)
    return tracks


def expected(degrees: float) -> float:
    """One less half the chord."""
    return float(1 - np.sin(np.radians(degrees / 2)))


def test_the_nearest_first_with_how_similar_they_are(player: Player, circle: dict[int, Track]) -> None:
    found = player("getSonicSimilarTracks", id=circle[0].pk, count=3)["sonicMatch"]
    assert titles(match["entry"] for match in found) == ["10", "20", "40"]
    assert [match["similarity"] for match in found] == pytest.approx(
        [expected(10), expected(20), expected(40)], abs=2e-3
    )
    assert found[0]["entry"] == player("getSong", id=circle[10].pk)["song"]
    assert len(player("getSonicSimilarTracks", id=circle[0].pk, count=9999)["sonicMatch"]) == 4
    assert player("getSonicSimilarTracks", id=circle[0].pk, count=0)["sonicMatch"] == []


def test_a_path_from_one_to_another(player: Player, circle: dict[int, Track]) -> None:
    given = {"startSongId": circle[0].pk, "endSongId": circle[90].pk}
    found = player("findSonicPath", **given, count=4)["sonicMatch"]
    names = titles(match["entry"] for match in found)
    assert (names[0], names[-1], len(names)) == ("0", "90", 4)
    assert "15" not in names
    angles = [float(name) for name in names]
    apart = [0.0, *np.abs(np.diff(angles))]
    assert [match["similarity"] for match in found] == pytest.approx(
        [expected(degrees) for degrees in apart], abs=2e-3
    )
    assert found[0]["similarity"] == 1.0
    assert len(player("findSonicPath", **given)["sonicMatch"]) == 5


def test_paths_that_cannot_be(
    player: Player, owner: User, circle: dict[int, Track], queued_track: Make
) -> None:
    start, end = circle[0].pk, circle[90].pk
    assert player.error("findSonicPath", startSongId=start) == 10
    assert player.error("findSonicPath", startSongId=start, endSongId=start) == 0
    assert player.error("findSonicPath", startSongId=start, endSongId=end, count=2) == 0
    assert player.error("findSonicPath", startSongId=start, endSongId=queued_track(owner).pk) == 0
    assert player.error("findSonicPath", startSongId=start, endSongId="nothing") == 70


def test_songs_like_a_song_an_album_and_an_artist(
    player: Player, owner: User, circle: dict[int, Track], done_track: Make, queued_track: Make
) -> None:
    done_track(None, title="near", angle=30.0, artist="Bob")
    like = player("getSimilarSongs", id=circle[20].pk, count=2)["similarSongs"]["song"]
    assert sorted(titles(like)) == ["10", "near"]
    for key in (ids.album_id("Ann", "One"), ids.artist_id("Ann")):
        assert titles(player("getSimilarSongs2", id=key)["similarSongs2"]["song"]) == ["near"]
    assert player("getSimilarSongs2", id=queued_track(owner).pk)["similarSongs2"]["song"] == []
    assert player.error("getSimilarSongs2", id=ids.artist_id("Nobody")) == 70


def test_no_query_for_each_neighbour(
    player: Player, circle: dict[int, Track], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    player("ping")
    with django_assert_max_num_queries(16):
        player("getSonicSimilarTracks", id=circle[0].pk, count=50)
