"""Similar tracks by lens: conditions, copies, privacy, and what stands in where a lens knows nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.core import fingerprint
from classifier.core.features import extract
from classifier.core.lenses import SIZES, VERSION
from classifier.models import Genre
from classifier.synthesis import styles
from genreweb.accounts.models import User
from library.models import Analysis, Track, TrackLens
from library.models.lenses import graph_of
from library.services import lenses
from library.services.candidates import Conditions
from library.services.lens_queries import query_of
from library.services.similar import Similar, similar
from library.tests.conftest import pointing

pytestmark = pytest.mark.django_db

Make = Callable[..., Track]


def found(track: Track, user: User | AnonymousUser, **asked: Any) -> Similar:
    return similar(viewer=user, query=query_of([track]), **asked)


def titles(result: Similar) -> list[str]:
    return [near.track.title for near in result.neighbours]


def hidden_tracks(owner: User, version_of: Track, count: int) -> None:
    """Give `owner` many private tracks in one direction, without what only pages need."""
    analysis = version_of.current
    assert analysis is not None
    tracks = Track.objects.bulk_create(
        Track(owner=owner, title="hidden", sound="s", sha256=f"{n:064d}", size=1) for n in range(count)
    )
    made = Analysis.objects.bulk_create(
        Analysis(
            track=track,
            model_version=analysis.model_version,
            descriptor_version=analysis.descriptor_version,
            genre="blues",
            confidence=1.0,
            unsure=False,
            probabilities={"blues": 1.0},
            timeline=[],
            descriptor=analysis.descriptor,
            lens_version=VERSION,
            peaks=[],
        )
        for track in tracks
    )
    for track, current in zip(tracks, made, strict=True):
        track.status, track.current = Track.Status.DONE, current
    Track.objects.bulk_update(tracks, ["status", "current"])
    TrackLens.objects.bulk_create(
        TrackLens(
            track=track,
            owner=owner,
            public=False,
            lens="harmony",
            vector=pointing(n / count, SIZES["harmony"]),
        )
        for n, track in enumerate(tracks)
    )


@pytest.fixture
def _index_only() -> None:
    """As on a large site, where the planner takes the index; and one that soon gives up."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL hnsw.max_scan_tuples = 50")


# --- who sees what --------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.usefixtures("_index_only")
def test_private_collections_at_the_far_end_starve_nobody(
    done_track: Make, owner: User, other: User, anonymous: AnonymousUser
) -> None:
    asked = done_track(None, title="asked", angle=0)
    hidden_tracks(other, asked, 300)
    public = [done_track(None, title=f"public {n}", angle=150 + n) for n in range(4)]
    mine = done_track(owner, title="mine", angle=179)
    assert titles(found(asked, anonymous)) == ["public 0", "public 1", "public 2"]
    assert titles(found(asked, owner, k=50)) == [*(track.title for track in public), mine.title]
    assert titles(found(asked, other)) == ["hidden"] * 3
    assert len(found(asked, other, k=50).neighbours) == 50


@pytest.mark.usefixtures("_index_only")
@pytest.mark.slow
def test_conditions_that_refuse_what_is_near_starve_nobody(
    done_track: Make, owner: User, genres: dict[str, Genre]
) -> None:
    asked = done_track(None, title="asked", angle=0)
    for n in range(120):
        done_track(None, title="near", angle=n / 10, artist="Same")
    jazz = [done_track(None, title=f"jazz {n}", genre="jazz", angle=100 + n, artist="Same") for n in range(3)]
    labelled = done_track(None, title="said", labelled_genre=genres["jazz"], angle=120)
    expected = [*(track.title for track in jazz), labelled.title]
    assert titles(found(asked, owner, k=10, conditions=Conditions(genre="jazz"))) == expected
    one_each = found(asked, owner, k=10, conditions=Conditions(one_per_artist=True))
    assert titles(one_each) == ["near", "said"]


def test_a_shared_song_betrays_nothing_of_who_else_has_it(done_track: Make, owner: User, other: User) -> None:
    asked = done_track(owner, title="asked", angle=0)
    public = done_track(None, title="public", angle=40)
    before = found(asked, owner, k=10)
    same = done_track(other, title="theirs", angle=0, sha256=asked.sha256)
    done_track(other, title="near", angle=1)
    after = found(asked, owner, k=10)
    assert titles(before) == titles(after) == [public.title]
    assert [near.distance for near in before.neighbours] == [near.distance for near in after.neighbours]
    assert titles(found(same, other, k=10)) == ["near", "public"]


def test_a_track_that_changes_hands_or_is_published_moves_in_the_index(
    done_track: Make, owner: User, other: User, anonymous: AnonymousUser
) -> None:
    asked = done_track(None, title="asked", angle=0)
    moving = done_track(owner, title="moving", angle=10)
    assert titles(found(asked, anonymous)) == []
    Track.objects.filter(pk=moving.pk).update(visibility=Track.Visibility.CATALOGUE)
    assert titles(found(asked, anonymous)) == ["moving"]
    Track.objects.filter(pk=moving.pk).update(visibility=Track.Visibility.PRIVATE, owner=other)
    assert titles(found(asked, anonymous)) == titles(found(asked, owner)) == []
    assert titles(found(asked, other)) == ["moving"]


@pytest.mark.usefixtures("_index_only")
def test_the_catalogue_is_searched_by_the_index_of_the_lens(done_track: Make, owner: User) -> None:
    asked = done_track(None, lenses={"sound": 0})
    for n in range(30):
        done_track(None, angle=n, lenses={"sound": n})
    with CaptureQueriesContext(connection) as queries:
        assert len(found(asked, owner, by="sound").neighbours) == 3
    searches = [query["sql"] for query in queries if "<->" in query["sql"]]
    plans = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        for sql in searches:
            cursor.execute(f"EXPLAIN {sql}")
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert "lens_sound_hnsw" in plans[0]
    assert all("hnsw" not in plan for plan in plans[1:])
    assert all(sql.count('INNER JOIN "library_tracklens"') == 1 for sql in searches)


def test_the_index_of_each_lens_has_its_size_and_its_graph() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%hnsw%'")
        found = dict(cursor.fetchall())
    # Django does not notice when the size in an expression of an index changes.
    for lens, size in SIZES.items():
        index, (m, candidates) = found[f"lens_{lens}_hnsw"], graph_of(lens)
        assert f"halfvec({size})" in index
        # Nor does it see what a migration has not altered.
        assert f"m='{m}'" in index
        assert f"ef_construction='{candidates}'" in index


def test_a_track_that_is_near_to_many_others_stands_back(
    done_track: Make, owner: User, anonymous: AnonymousUser
) -> None:
    asked = done_track(owner, title="asked", lenses={"blend": 0})
    tracks = [done_track(None, title="hub", lenses={"blend": 20})]
    tracks.append(done_track(owner, title="apart", lenses={"blend": 22}))
    tracks.append(done_track(None, title="copy", lenses={"blend": 0}))
    for track, isolation in zip(tracks, (0.4, 1.0, 0.4), strict=True):
        TrackLens.objects.filter(track=track, lens="blend").update(isolation=isolation)
    result = found(asked, owner)
    assert titles(result) == ["copy", "apart", "hub"]
    distances = [near.distance for near in result.neighbours]
    between = 2 * np.sin(np.radians([0, 22, 20]) / 2)
    assert distances == pytest.approx([0.0, between[1], between[2] * 0.4**-0.25], abs=2e-3)
    # A correction is of the track alone: nobody's other tracks have a part in it.
    assert titles(found(asked, anonymous)) == ["copy", "hub"]


# --- conditions -----------------------------------------------------------------------------------------
def test_not_this_artist_however_it_is_written(done_track: Make, owner: User) -> None:
    asked = done_track(owner, title="asked", artist="The Band")
    done_track(None, title="same", artist="the band", angle=1)
    done_track(None, title="other", artist="Another", angle=20)
    done_track(None, title="unknown", angle=30)
    assert titles(found(asked, owner)) == ["same", "other", "unknown"]
    left = found(asked, owner, conditions=Conditions(exclude_artist=True))
    assert titles(left) == ["other", "unknown"]
    nameless = done_track(owner, title="nameless", angle=0)
    everybody = found(nameless, owner, k=10, conditions=Conditions(exclude_artist=True))
    assert len(everybody.neighbours) == 4


def test_other_encodings_and_cuts_are_left_out(done_track: Make, owner: User) -> None:
    sound = styles.rock(1)
    cut = 0.4 * sound[22_050 * 3 + 700 :]
    noisy_cut = cut + np.random.default_rng(1).normal(scale=0.003, size=len(cut))
    words = [
        fingerprint.words_of(extract(samples.astype(np.float32)).mel_power).tolist()
        for samples in (sound, noisy_cut, styles.rock(2))
    ]
    asked = done_track(owner, title="asked", fingerprint=words[0])
    done_track(None, title="cut", angle=3, fingerprint=words[1])
    done_track(None, title="another", angle=4, fingerprint=words[2])
    done_track(None, title="older", angle=5)
    assert titles(found(asked, owner)) == ["another", "older"]


def test_two_files_of_one_song_are_recommended_once(done_track: Make, owner: User) -> None:
    asked = done_track(owner, title="asked")
    first = done_track(None, title="first", angle=5)
    done_track(owner, title="second", angle=6, sha256=first.sha256)
    assert titles(found(asked, owner)) == ["first"]


# --- lenses ---------------------------------------------------------------------------------------------
def test_each_lens_has_its_own_order_and_the_blend_is_the_default(done_track: Make, owner: User) -> None:
    asked = done_track(owner, title="asked", lenses={"blend": 0, "sound": 0})
    done_track(None, title="a", angle=10, lenses={"blend": 60, "sound": 30})
    done_track(None, title="b", angle=20, lenses={"blend": 40, "sound": 50})
    done_track(None, title="c", angle=30, lenses={"blend": 50, "sound": 10})
    for by, order in (
        (None, ["b", "c", "a"]),
        ("blend", ["b", "c", "a"]),
        ("sound", ["c", "a", "b"]),
        ("harmony", ["a", "b", "c"]),
    ):
        result = found(asked, owner, by=by)
        assert (result.lens, titles(result), result.notice) == (by or "blend", order, "")


def test_harmony_stands_in_where_the_track_was_never_tagged(done_track: Make, owner: User) -> None:
    asked = done_track(owner, title="asked")
    done_track(None, title="near", angle=10, lenses={"sound": 1})
    for by in (None, "sound", "mood"):
        result = found(asked, owner, by=by)
        assert (result.lens, result.notice, titles(result)) == ("harmony", "not_analysed", ["near"])


def test_harmony_stands_in_where_few_others_were_tagged_unless_a_lens_was_asked_for(
    done_track: Make, owner: User
) -> None:
    asked = done_track(owner, title="asked", lenses={"blend": 0})
    done_track(None, title="tagged", angle=50, lenses={"blend": 5})
    done_track(None, title="older", angle=10)
    result = found(asked, owner)
    assert (result.lens, result.notice, titles(result)) == ("harmony", "few", ["older", "tagged"])
    assert titles(found(asked, owner, by="blend")) == ["tagged"]


def test_why_in_words(done_track: Make, owner: User) -> None:
    tags = {"mellow": 0.9, "folk": 0.95, "female-voice": 0.99, "rock": 0.2}
    asked = done_track(owner, title="asked", lenses={"blend": 0}, tags=tags, key="Eb minor")
    near = {**tags, "folk": 0.8, "rock": 0.9, "mellow": 0.3}
    done_track(None, title="near", lenses={"blend": 20}, tags=near, key="Eb minor")
    done_track(None, title="far", lenses={"blend": 85}, key="E major")
    first, second = found(asked, owner).neighbours
    assert first.why == ("very similar", "same key: E♭ minor", "both: female voice, folk")
    assert second.why == ("little in common",)


def test_several_tracks_are_asked_about_at_once(done_track: Make, owner: User) -> None:
    seeds = [done_track(owner, title=f"seed {n}", angle=angle) for n, angle in enumerate((0, 60))]
    done_track(None, title="beside one", angle=-10)
    done_track(None, title="between", angle=31)
    result = similar(viewer=owner, query=query_of(seeds), by="harmony")
    assert titles(result) == ["between", "beside one"]
    assert result.neighbours[0].distance == pytest.approx(2 * np.sin(np.radians(0.5)), abs=2e-3)


# --- moving over ----------------------------------------------------------------------------------------
def test_older_analyses_answer_by_their_descriptors_until_they_are_moved_over(
    done_track: Make, owner: User
) -> None:
    asked = done_track(owner, title="asked", angle=0)
    for angle in (40, 10):
        done_track(None, title=f"{angle}", angle=angle)
    TrackLens.objects.all().delete()
    Analysis.objects.update(lens_version="", key="")
    before = found(asked, owner, by="sound")
    assert (before.lens, before.notice, titles(before)) == ("harmony", "moving", ["10", "40"])
    assert lenses.fill_in(lot=2) == 2
    assert found(asked, owner).notice == "moving"
    assert lenses.catch_up() == 1
    assert lenses.fill_in() == 0
    after = found(asked, owner, by="harmony")
    assert (after.notice, sorted(titles(after))) == ("", ["10", "40"])
    rows = TrackLens.objects.values_list("lens", "public", "owner")
    assert set(rows) == {
        (lens, public, who)
        for lens in ("harmony", "harmony_any_key")
        for public, who in ((True, None), (False, owner.pk))
    }
    assert set(Analysis.objects.values_list("lens_version", flat=True)) == {VERSION}


def test_only_the_current_analysis_of_a_track_is_found(done_track: Make, owner: User) -> None:
    track = done_track(owner)
    former = track.current
    assert former is not None
    current = Analysis.objects.get(pk=former.pk)
    current.pk, current.lens_version = None, ""
    current.save(force_insert=True)
    Track.objects.filter(pk=track.pk).update(current=current)
    Analysis.objects.update(lens_version="")
    assert lenses.fill_in() == 2
    assert TrackLens.objects.filter(track=track, lens="harmony").count() == 1
    assert lenses.is_complete()


@pytest.mark.slow
def test_an_analysis_can_be_found_at_once(finished_track: Make, owner: User) -> None:
    first, second = (finished_track(owner, seed=seed) for seed in (1, 2))
    assert set(TrackLens.objects.filter(track=first).values_list("lens", flat=True)) >= {
        "harmony",
        "harmony_any_key",
        "timbre",
    }
    assert lenses.is_complete()
    stored = Analysis.objects.get(track=first)
    assert stored.key
    assert len(stored.fingerprint or []) > 10
    assert [near.track for near in found(first, owner, by="timbre").neighbours] == [second]
