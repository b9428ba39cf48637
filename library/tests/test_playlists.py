"""Playlists as services: order, limits, who sees which tracks; and tracks that are found for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from django.db import connection

from classifier.core import fingerprint
from classifier.core.features import extract
from classifier.synthesis import styles
from genreweb.accounts.models import User
from library.errors import PlaylistError
from library.models import Analysis, Playlist, Track, TrackLens
from library.services import generating, paths, playlists
from library.services.candidates import Conditions
from library.tests.conftest import Matrix

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


def titles(tracks: Sequence[Track]) -> list[str]:
    return [track.title for track in tracks]


def seen(playlist: Playlist, viewer: Any) -> list[str]:
    return titles(list(playlists.tracks_of(playlist, viewer=viewer)))


@pytest.fixture
def abc(done_track: Make) -> list[Track]:
    return [done_track(None, title=title) for title in "abc"]


# --- order ----------------------------------------------------------------------------------------------
def test_tracks_are_added_moved_taken_out_and_put_back(
    owner: User, abc: list[Track], done_track: Make
) -> None:
    a, b, c = abc
    playlist = playlists.create(owner=owner, title="  My \u202e list ", tracks=[a, b, a])
    assert (playlist.title, playlist.shared) == ("My list", False)
    assert playlists.add(playlist=playlist, tracks=[b, c, c]) == 1
    assert seen(playlist, owner) == ["a", "b", "c"]
    for track, place, order in ((c, 0, "cab"), (c, 1, "acb"), (a, 99, "cba"), (b, -5, "bca"), (b, 0, "bca")):
        playlists.put(playlist=playlist, track=track, place=place, viewer=owner)
        assert "".join(seen(playlist, owner)) == order
    assert playlists.remove(playlist=playlist, track=c.pk, viewer=owner) == 1
    assert playlists.remove(playlist=playlist, track=c.pk, viewer=owner) is None
    playlists.put(playlist=playlist, track=c, place=1, viewer=owner)
    assert "".join(seen(playlist, owner)) == "bca"
    playlists.arrange(playlist=playlist, tracks=[a.pk, b.pk, c.pk], viewer=owner)
    assert "".join(seen(playlist, owner)) == "abc"
    for other in ([a.pk, b.pk], [a.pk, b.pk, b.pk], [*(t.pk for t in abc), done_track(None).pk]):
        with pytest.raises(PlaylistError, match="order_other_tracks"):
            playlists.arrange(playlist=playlist, tracks=other, viewer=owner)
    connection.check_constraints()
    b.delete()
    assert seen(playlist, owner) == ["a", "c"]


def test_limits_and_what_was_deleted_meanwhile(
    owner: User, abc: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    for title in ("", " \u200b "):
        with pytest.raises(PlaylistError, match="playlist_unnamed"):
            playlists.create(owner=owner, title=title)
    monkeypatch.setattr(playlists, "MOST_ENTRIES", 2)
    monkeypatch.setattr(playlists, "MOST_PLAYLISTS", 1)
    with pytest.raises(PlaylistError, match="playlist_full"):
        playlists.create(owner=owner, title="list", tracks=abc)
    playlist = playlists.create(owner=owner, title="list", tracks=abc[:2])
    with pytest.raises(PlaylistError, match="playlists_many"):
        playlists.create(owner=owner, title="another")
    with pytest.raises(PlaylistError, match="playlist_full") as refused:
        playlists.add(playlist=playlist, tracks=abc)
    assert "2 tracks" in refused.value.message
    with pytest.raises(PlaylistError, match="playlist_full"):
        playlists.put(playlist=playlist, track=abc[2], place=0, viewer=owner)
    assert seen(playlist, owner) == ["a", "b"]
    held = Playlist.objects.get(pk=playlist.pk)
    playlists.delete(playlist=playlist)
    for change in (
        lambda: playlists.add(playlist=held, tracks=abc),
        lambda: playlists.edit(playlist=held, title="new"),
    ):
        with pytest.raises(PlaylistError, match="playlist_gone"):
            change()
    assert Track.objects.count() == 3


# --- who sees what --------------------------------------------------------------------------------------
def test_others_see_shared_ones_and_in_them_what_they_may_see_and_nothing_of_the_rest(
    matrix: Matrix, done_track: Make, abc: list[Track]
) -> None:
    owner, other = matrix.owner, matrix.other
    secrets = [done_track(owner, title=f"secret {n}", duration=100.0) for n in range(2)]
    playlist = playlists.create(owner=owner, title="list", tracks=[secrets[0], abc[0], secrets[1], abc[1]])
    assert not Playlist.objects.visible_to(other).exists()
    playlists.edit(playlist=playlist, shared=True)
    assert not Playlist.objects.visible_to(matrix.anonymous).exists()

    def told(person: Any) -> tuple[int, float, list[str]]:
        row = playlists.counted(Playlist.objects.visible_to(person), viewer=person).get()
        return row.count, row.seconds, seen(playlist, person)  # type: ignore[attr-defined]  # annotated

    assert told(owner) == (4, 206.0, ["secret 0", "a", "secret 1", "b"])
    before = {person: told(person) for person in matrix.strangers}
    assert set(map(str, before.values())) == {str((2, 6.0, ["a", "b"]))}
    playlists.remove(playlist=playlist, track=secrets[0].pk, viewer=owner)
    playlists.put(playlist=playlist, track=secrets[1], place=2, viewer=owner)
    assert {person: told(person) for person in matrix.strangers} == before


def test_what_its_owner_may_no_longer_see_keeps_its_place_unseen(
    owner: User, other: User, abc: list[Track]
) -> None:
    a, b, c = abc
    playlist = playlists.create(owner=owner, title="list", tracks=abc)
    Track.objects.filter(pk=b.pk).update(owner=other, visibility="private")
    assert seen(playlist, owner) == ["a", "c"]
    playlists.put(playlist=playlist, track=c, place=0, viewer=owner)
    playlists.arrange(playlist=playlist, tracks=[a.pk, c.pk], viewer=owner)
    assert playlists.remove(playlist=playlist, track=b.pk, viewer=owner) is None
    Track.objects.filter(pk=b.pk).update(owner=None, visibility="catalogue")
    assert seen(playlist, owner) == ["a", "b", "c"]


# --- like some, for a mood ------------------------------------------------------------------------------
def test_tracks_like_some_are_those_that_are_similar(owner: User, other: User, done_track: Make) -> None:
    seeds = [done_track(owner, angle=angle) for angle in (0, 40)]
    for title, angle, artist in (("near", 21, "A"), ("near too", 22, "A"), ("far", 120, "B")):
        done_track(None, title=title, angle=angle, artist=artist)
    done_track(other, title="hidden", angle=20)
    found = generating.like(viewer=owner, seeds=seeds, length=9)
    assert titles(found) == ["near", "near too", "far"]
    one_each = Conditions(one_per_artist=True)
    assert titles(generating.like(viewer=owner, seeds=seeds, conditions=one_each)) == ["near", "far"]
    TrackLens.objects.filter(track=seeds[1]).delete()
    Analysis.objects.filter(track=seeds[1]).update(descriptor_version="0")
    with pytest.raises(PlaylistError, match="seeds_not_comparable"):
        generating.like(viewer=owner, seeds=seeds)


def test_a_mood_gives_its_strongest_tracks(owner: User, other: User, done_track: Make) -> None:
    for title, strength in (("weak", 0.7), ("strong", 0.85), ("strongest", 0.99)):
        done_track(None, title=title, tags={"sad": strength})
    done_track(other, title="hidden", tags={"sad": 0.995})
    assert titles(generating.for_mood(viewer=owner, mood="sad")) == ["strongest", "strong"]
    assert titles(generating.for_mood(viewer=owner, mood="sad", length=1)) == ["strongest"]


def test_a_surprise_is_drawn_by_its_seed_from_what_differs(
    owner: User, other: User, done_track: Make
) -> None:
    assert generating.surprise(viewer=owner, mood="sad") == []
    groups = {0: "near 0", 3: "near 3", 6: "near 6", 90: "aside", 175: "opposite"}
    for angle, title in groups.items():
        done_track(None, title=title, tags={"sad": 0.9}, lenses={"blend": angle})

    def drawn(person: User, seed: int, length: int = 3) -> list[str]:
        return titles(generating.surprise(viewer=person, mood="sad", length=length, seed=seed))

    once = [drawn(owner, seed) for seed in range(12)]
    assert once == [drawn(owner, seed) for seed in range(12)]
    assert len({tuple(each) for each in once}) > 3
    assert all(len(set(each)) == 3 for each in once)
    # Two of three alike would be drawn in seven of ten times if nothing kept them apart.
    assert sum(sum(title.startswith("near") for title in each) > 1 for each in once) <= 2
    assert sorted(drawn(owner, 1, length=50)) == sorted(groups.values())
    for _each in range(3):
        done_track(other, title="hidden", tags={"sad": 0.99})
    assert [drawn(owner, seed) for seed in range(12)] == once
    assert "hidden" in drawn(other, 1, length=50)
    aside = Track.objects.get(title="aside")
    done_track(owner, title="aside", tags={"sad": 0.9}, sha256=aside.sha256)
    assert drawn(owner, 1, length=50).count("aside") == 1


# --- paths ----------------------------------------------------------------------------------------------
def walk(viewer: Any, start: Track, end: Track, length: int, **asked: Any) -> paths.Path:
    return paths.find_path(viewer=viewer, start=start, end=end, length=length, **asked)


def test_a_path_leads_in_even_steps_over_what_its_walker_may_see(
    owner: User, other: User, done_track: Make
) -> None:
    start, end = (done_track(owner, title=title, lenses={"blend": a}) for title, a in (("0", 0), ("90", 90)))
    for angle in (2, 15, 31, 46, 58, 74, 88, 150, 200):
        done_track(None, title=str(angle), lenses={"blend": angle})
    done_track(other, title="hidden", lenses={"blend": 30})
    path = walk(owner, start, end, 4)
    assert (path.lens, titles(path.tracks)) == ("blend", ["0", "31", "58", "90"])
    first, *distances = [step.distance for step in path.steps]
    assert first is None
    assert distances == pytest.approx([2 * np.sin(np.radians(a / 2)) for a in (31, 27, 32)], abs=2e-3)
    assert titles(walk(owner, start, end, 3).tracks) == ["0", "46", "90"]
    Track.objects.update(owner=other)
    assert titles(walk(other, start, end, 4).tracks)[1] in {"hidden", "31"}


def test_a_path_over_few_tracks_takes_those_that_there_are(owner: User, done_track: Make) -> None:
    start, end = (done_track(owner, title=title, angle=a) for title, a in (("0", 0), ("180", 180)))
    assert titles(walk(owner, start, end, 10).tracks) == ["0", "180"]
    done_track(None, title="90", angle=90)
    path = walk(owner, start, end, 50)
    # No lens but harmony knows them.
    assert (path.lens, titles(path.tracks)) == ("harmony", ["0", "90", "180"])
    with pytest.raises(PlaylistError, match="path_not_comparable"):
        walk(owner, start, end, 5, by="sound")
    for same in (start, done_track(None, angle=1, sha256=start.sha256)):
        with pytest.raises(PlaylistError, match="path_same"):
            walk(owner, start, same, 5)


def test_no_recording_comes_twice_in_no_encoding(owner: User, done_track: Make) -> None:
    sounds = [styles.rock(1), 0.5 * styles.rock(1)[22_050 * 2 :], styles.rock(2), styles.rock(3)]
    words = [fingerprint.words_of(extract(s.astype(np.float32)).mel_power).tolist() for s in sounds]
    start = done_track(owner, title="start", lenses={"blend": 0}, fingerprint=words[0])
    end = done_track(owner, title="end", lenses={"blend": 60}, fingerprint=words[3])
    done_track(None, title="start again", lenses={"blend": 20}, fingerprint=words[1])
    middle = done_track(None, title="middle", lenses={"blend": 30}, fingerprint=words[2])
    done_track(owner, title="middle again", lenses={"blend": 31}, sha256=middle.sha256)
    done_track(None, title="middle encoded", lenses={"blend": 40}, fingerprint=words[2])
    found = titles(walk(owner, start, end, 10).tracks)
    assert (found[0], found[-1], len(found)) == ("start", "end", 3)
    assert found[1].startswith("middle")


def test_paths_by_the_index_of_a_large_catalogue(owner: User, done_track: Make) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL hnsw.max_scan_tuples = 50")
    start, end = (done_track(None, lenses={"blend": angle}) for angle in (0, 120))
    for n in range(60):
        done_track(None, title=str(n), lenses={"blend": n * 2 + 1})
    path = walk(owner, start, end, 8)
    distances = [step.distance for step in path.steps if step.distance is not None]
    assert len(path.steps) == len(set(titles(path.tracks))) + 1 == 8
    assert max(distances) < 1.2 * min(distances)
    assert all(a < b for a, b in pairwise([int(track.title) for track in path.tracks[1:-1]]))
