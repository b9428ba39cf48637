"""Sites with very many tracks: synthetic ones, lists counted up to a limit, words found by an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.core.lenses import LENSES, SIZES
from classifier.models import Genre, ModelVersion
from genreweb import bounded_pages
from genreweb.accounts.models import User
from genreweb.keyset import following
from genreweb.prepared_queries import PreparedQueries
from library.models import Analysis, NotableTag, Track, TrackLens, TrackQuerySet
from library.services import large_indexes, seeding
from library.services.candidates import Conditions
from library.services.lens_queries import query_of
from library.services.seeding import Plan
from library.services.similar import similar
from library.tests.conftest import Api

pytestmark = pytest.mark.django_db

Make = Callable[..., Track]
TRACKS = "/api/v1/tracks/"


# --- synthetic tracks ------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.usefixtures("version", "genres")
def test_synthetic_tracks_are_whole_marked_and_removable(done_track: Make, owner: User) -> None:
    real = [done_track(None, title="real"), done_track(owner, title="mine")]
    assert seeding.seed(Plan(30, public=0.5, people=2)) == 30
    assert seeding.seed(Plan(30, public=0.5, people=2)) == 0
    assert seeding.seed(Plan(80, public=0.5, people=2)) == 50
    made = seeding.synthetic()
    assert made.count() == 80
    assert not made.filter(pk__in=[track.pk for track in real]).exists()
    assert made.exclude(listed_genre=F("current__genre")).count() == 0
    assert set(made.values_list("visibility", flat=True)) == {"catalogue", "private"}
    assert len(set(made.values_list("owner", flat=True))) == 3
    assert NotableTag.objects.filter(track__in=made, strength__gte=0.7).count() > 80
    for lens in LENSES:
        rows = list(TrackLens.objects.filter(track__in=made, lens=lens).select_related("track"))
        vectors = np.array([row.vector for row in rows])
        assert vectors.shape == (80, SIZES[lens])
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
        assert all(
            row.public == row.track.is_in_catalogue and row.owner_id == row.track.owner_id for row in rows
        )
    public = made.filter(visibility="catalogue")
    near = similar(viewer=owner, query=query_of([public[0]]), by="sound", k=50)
    assert len(near.neighbours) == public.count() - 1
    assert seeding.remove() == 80
    assert list(Track.objects.order_by("title")) == [real[1], real[0]]
    assert Analysis.objects.count() == 2
    assert User.objects.count() == 1


@pytest.mark.slow
@pytest.mark.usefixtures("genres")
def test_the_command_asks_before_it_fills_a_real_site(
    version: ModelVersion, done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "FEW", 1)
    for wrong in ([], ["0"], ["5", "--public", "2"], ["5", "--public", "0.5", "--people", "0"]):
        with pytest.raises(CommandError):
            call_command("seed_catalogue", *wrong)
    out = StringIO()
    call_command("seed_catalogue", "3", "--lens", "sound", stdout=out)
    assert "3 synthetic tracks" in out.getvalue()
    assert set(TrackLens.objects.values_list("lens", flat=True)) == {"sound"}
    for _ in range(2):
        done_track(None)
    with pytest.raises(CommandError, match="--yes"):
        call_command("seed_catalogue", "6")
    call_command("seed_catalogue", "6", "--yes", stdout=out)
    assert seeding.synthetic().count() == 6
    call_command("seed_catalogue", "--remove", stdout=out)
    assert Track.objects.count() == 2
    version.is_in_service = False
    version.save(update_fields=["is_in_service"])
    with pytest.raises(CommandError, match="no classifier"):
        call_command("seed_catalogue", "3", "--yes")


@pytest.mark.slow
@pytest.mark.usefixtures("version", "genres")
def test_synthetic_tracks_of_a_genre_lie_together() -> None:
    seeding.seed(Plan(300, public=1.0, people=0, lenses=["sound"]))
    rows = list(TrackLens.objects.values_list("vector", "track__current__genre"))
    vectors, genres = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    same = (genres[likeness.argmax(axis=1)] == genres).mean()
    assert same > 0.25
    # Nor are they copies of a few.
    assert np.sqrt(2 - 2 * np.median(likeness.max(axis=1))) > 0.4


# --- neighbours ------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_ones_own_at_the_far_end_are_found_past_everybody_elses(
    done_track: Make, owner: User, other: User, genres: dict[str, Genre]
) -> None:
    asked = done_track(None, title="asked", angle=0)
    for n in range(60):
        done_track(None if n % 2 else other, title="near", angle=1 + n / 60)
    mine = [done_track(owner, title=f"mine {n}", genre="jazz", angle=175 + n) for n in range(3)]
    public = done_track(None, title="public", genre="jazz", angle=170)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL hnsw.max_scan_tuples = 10")
        cursor.execute("SET LOCAL hnsw.ef_search = 5")
    query = query_of([asked])
    jazz = similar(viewer=owner, query=query, by="harmony", k=10, conditions=Conditions(genre="jazz"))
    assert [near.track for near in jazz.neighbours] == [public, *mine]
    everything = similar(viewer=owner, query=query, by="harmony", k=50)
    assert [near.track for near in everything.neighbours][-4:] == [public, *mine]
    assert len(everything.neighbours) == 34


@pytest.mark.django_db(transaction=True)
def test_large_indexes_are_built_again_after_a_failure_and_anew() -> None:
    assert large_indexes.build() == []
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX catalogue_words")
        cursor.execute("SHOW maintenance_work_mem")
        before = cursor.fetchone()
    assert [built.name for built in large_indexes.build(memory_mb=64)] == ["catalogue_words"]
    out = StringIO()
    call_command("build_indexes", "--anew", "--memory", "32", stdout=out)
    assert len(re.findall(r"^lens_\w+: [\d.]+ s", out.getvalue(), re.M)) == len(LENSES)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW maintenance_work_mem")
        assert cursor.fetchone() == before
    out = StringIO()
    call_command("build_indexes", stdout=out)
    assert out.getvalue() == "Every index is there.\n"


def test_a_query_that_was_written_before_asks_for_the_values_of_now(
    queued_track: Make, owner: User, other: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for person in (owner, other):
        for title in ("a", "b"):
            queued_track(person, title=title)
    queries = PreparedQueries()

    def like() -> tuple[Any, list[Any]]:
        return Track.objects.filter(owner=-1, title="?", size=4).values_list("owner", "title"), [-1, "?"]

    with django_assert_num_queries(4):
        for person in (owner, other):
            for title in ("a", "b"):
                assert queries.rows("of", [person.pk, title], like=like) == [(person.pk, title)]

    def joined() -> tuple[Any, list[Any]]:
        return Track.objects.select_related("owner").filter(title="?").order_by("id").annotate(
            one=F("size")
        ), ["?"]

    for title in ("a", "b"):
        found = queries.instances("with owners", [title], like=joined)
        with django_assert_num_queries(0):
            assert {track.owner for track in found} == {owner, other}
            assert {(track.title, track.one) for track in found} == {(title, found[0].size)}
        # Each is an object of its own, which can be saved.
        assert queries.instances("with owners", [title], like=joined)[0] is not found[0]
        assert found == list(Track.objects.filter(title=title).order_by("id"))
    with pytest.raises(ValueError, match="no parameters"):
        queries.rows("more", [1, 2], like=lambda: (Track.objects.filter(size=5).values_list("pk"), [5, 6]))


# --- lists -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "order",
    [
        ["title", "id"],
        ["-created", "id"],
        ["artist", "title", "-id"],
        [F("duration").desc(nulls_last=True), "id"],
        [F("duration").asc(), "id"],
        ["-duration", "id"],
        [F("year").asc(nulls_first=True), "-title", "id"],
    ],
)
def test_a_list_goes_on_after_each_of_its_rows(queued_track: Make, order: list[Any]) -> None:
    for n in range(8):
        queued_track(
            None,
            title="ab"[n % 2],
            artist="xyz"[n % 3],
            duration=None if n % 3 == 0 else float(n % 2),
            year=None if n % 4 == 0 else 2000 + n % 2,
        )
    rows = Track.objects.order_by(*order)
    whole = list(rows)
    for place, track in enumerate(whole):
        after = following(rows, track.pk)
        assert after is not None
        assert list(after) == whole[place + 1 :]
    assert following(rows.filter(title="a"), rows.filter(title="b")[0].pk) is None
    assert following(rows, "nonsense") is None


@pytest.fixture
def _few_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genreweb.bounded_pages.MOST_COUNTED", 4)
    monkeypatch.setattr("library.views.catalogue.MOST_COUNTED", 4)
    monkeypatch.setattr("library.views.catalogue.PER_PAGE", 2)
    monkeypatch.setattr("library.views.history.PER_PAGE", 2)


def walk(client: Client, address: str) -> Iterator[str]:
    """Follow the links to the next page."""
    query: str | None = ""
    while query is not None:
        html = client.get(f"{address}?{query}").content.decode()
        yield html
        found = re.search(r'rel="next" href="\?([^"]*)"', html)
        query = found[1].replace("&amp;", "&") if found else None


@pytest.mark.usefixtures("_few_counted", "genres")
def test_common_words_are_looked_for_along_the_order_of_the_list(
    owner: User, done_track: Make, api: Api
) -> None:
    client = api(owner)
    for n in range(7):
        done_track(None, title=f"Common {n}" if n < 6 else "Rare")

    def asked(word: str) -> tuple[list[str], str]:
        with CaptureQueriesContext(connection) as queries:
            found = client.get(f"{TRACKS}?scope=all&search={word}&ordering=title&page_size=3").json()
        return [each["title"] for each in found["results"]], " ".join(query["sql"] for query in queries)

    titles, sql = asked("common")
    assert titles == ["Common 0", "Common 1", "Common 2"]
    assert "SET LOCAL enable_bitmapscan = off" in sql
    titles, sql = asked("rare")
    assert titles == ["Rare"]
    assert "enable_bitmapscan" not in sql
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_bitmapscan")
        assert cursor.fetchone() == ("on",)


@pytest.mark.slow
@pytest.mark.usefixtures("_few_counted", "genres")
def test_long_lists_are_counted_to_a_limit_and_walked_to_the_end(
    client: Client, done_track: Make, owner: User
) -> None:
    for n in range(9):
        done_track(None if n % 2 else owner, title=f"Track {n}", genre="jazz")
        done_track(owner, title=f"Own {n}", visibility="catalogue", genre="blues")
    client.force_login(owner)
    for address, expected in ((reverse("library:catalogue"), 13), (reverse("library:history"), 14)):
        pages = list(walk(client, address))
        titles = [title for html in pages for title in re.findall(r"(?:Track|Own) \d", html)]
        assert len(set(titles)) == expected
        assert "More than 4 tracks" in pages[0]
        assert "First page" not in pages[0]
        assert "First page" in pages[-1]
    html = client.get(reverse("library:catalogue")).content.decode()
    assert re.search(r'id="chip-all".*?<span class="genre-share">4\+</span>', html)
    assert re.search(r'id="chip-jazz"[^>]*>(?:(?!genre-share).)*</a>', html)
    few = client.get(reverse("library:catalogue"), {"genre": "jazz"}).content.decode()
    assert "4 tracks" in few
    assert "More than" not in few


@pytest.mark.slow
@pytest.mark.usefixtures("_few_counted")
def test_programs_walk_a_long_list_and_learn_nothing_of_others(
    done_track: Make, owner: User, other: User, api: Api
) -> None:
    mine = {str(done_track(owner, title=f"t{n}").pk) for n in range(11)}
    theirs = done_track(other)
    client = api(owner)
    url, seen, exact = f"{TRACKS}?page_size=2&ordering=title", [], []
    while url:
        body = client.get(url).json()
        seen += [track["id"] for track in body["results"]]
        exact.append((body["count"], body["count_is_exact"]))
        url = body["next"]
    assert len(seen) == 11
    assert set(seen) == mine
    assert set(exact) == {(4, False)}
    few = client.get(TRACKS, {"search": "t1"}).json()
    assert (few["count"], few["count_is_exact"]) == (2, True)
    for unknown in (theirs.pk, "nonsense", "00000000-0000-0000-0000-000000000000"):
        assert client.get(TRACKS, {"after": str(unknown)}).status_code == 404


# --- words -----------------------------------------------------------------------------------------------
def plan_of(tracks: TrackQuerySet) -> str:
    """How the database would find tracks where it can neither read all nor follow an order."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for other in ("title", "lower_title", "artist", "genre", "time", "length"):
            cursor.execute(f"DROP INDEX IF EXISTS catalogue_by_{other}")
    return str(tracks.order_by().explain())


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("LOV", ["Lovely Day", "clover"]),
        ("lovely", ["Lovely Day"]),
        ("ay", ["Lovely Day"]),
        ("사랑", ["첫사랑"]),
        ("랑", ["첫사랑"]),
        ("STRASSE", []),
        ("straße", ["Die Straße"]),
        ("1987", ["of 1987"]),
        ("198", ["of 1987"]),
        ("100%", ["100%_x"]),
        ("%_x", ["100%_x"]),
        ("day clo", []),
    ],
)
def test_words_are_found_by_their_parts(done_track: Make, other: User, word: str, found: list[str]) -> None:
    for title, year in (("Lovely Day", None), ("첫사랑", None), ("Die Straße", None), ("of 1987", 1987)):
        done_track(None, title=title if title != "of 1987" else "old", artist=title, year=year)
    done_track(None, title="clover", artist="clover")
    done_track(None, title="100%_x", artist="100%_x")
    done_track(other, title="lovely 사랑 straße 1987 100%_x", artist="private")
    assert sorted(Track.objects.all().public_holding(word).values_list("artist", flat=True)) == sorted(found)


def test_an_index_answers_which_words_are_in_the_catalogue(done_track: Make, owner: User, api: Api) -> None:
    done_track(None, title="Lovely Day", artist="Bill")
    done_track(owner, title="mine", original_name="lovely file.mp3")
    done_track(None, title="other", original_name="lovely file.mp3")
    assert "catalogue_words" in plan_of(Track.objects.all().public_holding("lovely"))
    assert "catalogue_words" in plan_of(Track.objects.all().public_holding("사"))
    assert "@>" not in str(Track.objects.all().public_holding("l").query)
    assert "@>" not in str(Track.objects.all().public_holding("lovely", is_common=True).query)
    for person, scope, titles in (
        (owner, "all", {"Lovely Day", "mine"}),
        (owner, "mine", {"mine"}),
        (owner, "catalogue", {"Lovely Day"}),
    ):
        body = api(person).get(TRACKS, {"scope": scope, "search": "lovely"}).json()
        assert {track["title"] for track in body["results"]} == titles
    by_artist = api(owner).get(TRACKS, {"scope": "all", "artist": "bill"}).json()
    assert [track["title"] for track in by_artist["results"]] == ["Lovely Day"]


def test_the_genre_in_lists_follows_label_and_analysis(done_track: Make, genres: dict[str, Genre]) -> None:
    track = done_track(None, genre="blues")

    def listed() -> str:
        return str(Track.objects.values_list("listed_genre", flat=True).get(pk=track.pk))

    assert listed() == "blues"
    Track.objects.filter(pk=track.pk).update(labelled_genre=genres["jazz"])
    assert listed() == "jazz"
    Track.objects.filter(pk=track.pk).update(labelled_genre=None)
    assert listed() == "blues"
    # A whole row that was read before does not bring the old one back.
    Track.objects.filter(pk=track.pk).update(labelled_genre=genres["rock"])
    stale = Track.objects.get(pk=track.pk)
    Track.objects.filter(pk=track.pk).update(labelled_genre=None)
    stale.labelled_genre = None
    stale.save()
    assert listed() == "blues"
    assert bounded_pages.MOST_COUNTED == 10_000
    unknown = done_track(None, genre="pop", style="ambient")
    assert Track.objects.values_list("listed_genre", flat=True).get(pk=unknown.pk) == ""
