"""The second engine for vectors: the same neighbours, never what is hidden, and PostgreSQL where it fails.

The engine is Qdrant's own in the local form that its client brings. Its server is not at hand here: what a
site does where one refuses, fails or says nothing is tested with sockets.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from qdrant_client import QdrantClient

from classifier.core.lenses import LENSES, SIZES, VERSION
from genreweb import health, metrics
from genreweb.accounts.models import User
from genreweb.checks import engines
from genreweb.health import ConcernError
from genreweb.schedule import beat_schedule
from library import tasks
from library.apps import watch_vector_engine
from library.models import Track, TrackLens, VectorChange
from library.services import lenses, seeding, vector_changes, vector_engine, vector_filling
from library.services.bin import bin_tracks
from library.services.lens_queries import query_of
from library.services.seeding import Plan
from library.services.similar import Conditions, similar
from library.services.vector_engine import EngineError
from library.tests.conftest import pointing

pytestmark = pytest.mark.django_db

Make = Callable[..., Track]
NOBODY = AnonymousUser()


@pytest.fixture
def engine(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    """Give the site an engine that holds nothing yet."""
    settings.QDRANT_URL = "http://qdrant.invalid:6333"
    client = QdrantClient(path=str(tmp_path / "engine"))
    monkeypatch.setattr(vector_engine, "_client", lambda seconds: client)
    monkeypatch.setattr(vector_engine, "_rests_until", {})
    yield client
    client.close()


@pytest.fixture
def catalogue(done_track: Make) -> list[Track]:
    """Forty public tracks, a degree apart by harmony, which are enough for a search."""
    return [done_track(None, title=f"at {degrees}", angle=degrees) for degrees in range(1, 41)]


def found(track: Track, viewer: User | AnonymousUser = NOBODY, **asked: Any) -> list[str]:
    result = similar(viewer=viewer, query=query_of([track]), by="harmony", **asked)
    return [near.track.title for near in result.neighbours]


def held(client: QdrantClient, lens: str = "harmony", version: str = VERSION) -> set[UUID]:
    """What the engine itself says that it holds."""
    records, _next = client.scroll(f"genreweb-{lens}-{version}-rows", limit=10_000)
    return {UUID(str(record.id)) for record in records}


def public(lens: str = "harmony") -> set[UUID]:
    rows = TrackLens.objects.filter(public=True, lens=lens, version=VERSION)
    return set(rows.values_list("track", flat=True))


# --- the same neighbours --------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.usefixtures("version", "genres")
def test_the_engine_finds_what_postgresql_finds(
    engine: QdrantClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeding.seed(Plan(300, public=0.7, people=2))
    asked = list(seeding.synthetic().order_by("pk").select_related("current")[:4])
    viewers: list[User | AnonymousUser] = [NOBODY, *User.objects.order_by("pk")]
    assert {track.visibility for track in asked} == {"catalogue", "private"}

    def neighbours() -> list[list[tuple[UUID, float]]]:
        return [
            [(near.track.pk, near.distance) for near in result.neighbours]
            for track in asked
            for viewer in viewers
            for lens in LENSES
            for k in (3, 50)
            for result in [similar(viewer=viewer, query=query_of([track]), by=lens, k=k)]
        ]

    settings.QDRANT_URL = ""
    expected = neighbours()
    settings.QDRANT_URL = "http://qdrant.invalid:6333"
    assert set(vector_filling.fill().values()) == {"in service"}
    answers: list[int] = []
    nearest = vector_engine.nearest

    def counted(**asked: Any) -> list[UUID] | None:
        keys = nearest(**asked)
        answers.append(len(keys or ()))
        return keys

    monkeypatch.setattr(vector_engine, "nearest", counted)
    assert neighbours() == expected
    # Of each search: none fell back to PostgreSQL's own.
    assert len(answers) == len(expected)
    assert min(answers) > 20
    for lens in LENSES:
        assert held(engine, lens) == public(lens) != set()


def test_it_is_the_engine_that_chooses_and_postgresql_that_measures(
    engine: QdrantClient, catalogue: list[Track], done_track: Make
) -> None:
    asked = done_track(None, angle=0)
    vector_filling.fill()
    assert found(asked) == ["at 1", "at 2", "at 3"]
    # As after an accident: one is not known, and one lies elsewhere.
    engine.delete(f"genreweb-harmony-{VERSION}-rows", [str(catalogue[1].pk)])
    vector_engine.write("harmony", VERSION, {catalogue[29].pk: pointing(0, SIZES["harmony"]).tolist()})
    result = similar(viewer=NOBODY, query=query_of([asked]), by="harmony", k=12)
    assert [near.track.title for near in result.neighbours][:3] == ["at 1", "at 3", "at 4"]
    distances = [near.distance for near in result.neighbours]
    assert distances == sorted(distances)


def test_ones_own_and_conditions_are_still_postgresqls(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, owner: User, other: User
) -> None:
    asked = done_track(None, angle=0)
    done_track(owner, title="mine", angle=1.5)
    done_track(None, title="jazz", genre="jazz", angle=90)
    vector_filling.fill()
    assert found(asked, owner) == ["at 1", "mine", "at 2"]
    assert found(asked, other) == ["at 1", "at 2", "at 3"]
    assert found(asked, other, conditions=Conditions(genre="jazz")) == ["jazz"]
    # More than there are: PostgreSQL gives all that exist.
    assert len(found(asked, owner, k=50)) == 42
    assert held(engine) == public()


# --- what changes ---------------------------------------------------------------------------------------
def test_what_is_hidden_is_gone_at_once_and_what_is_published_after_the_task(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, owner: User
) -> None:
    asked = done_track(None, angle=0)
    mine = done_track(owner, title="mine", angle=0.5)
    vector_filling.fill()
    assert mine.pk not in held(engine)
    hidden, deleted = catalogue[0], catalogue[1]
    hidden.owner, hidden.visibility = owner, "private"
    hidden.save(update_fields=["owner", "visibility"])
    deleted_pk = deleted.pk
    deleted.delete()
    assert found(asked) == ["at 3", "at 4", "at 5"]
    assert {hidden.pk, deleted_pk} <= held(engine)
    mine.visibility = "catalogue"
    mine.save(update_fields=["visibility"])
    assert {change.track for change in VectorChange.objects.filter(lens="harmony")} == {
        hidden.pk,
        deleted_pk,
        mine.pk,
    }
    tasks.carry_vectors()
    assert held(engine) == public()
    assert mine.pk in held(engine)
    assert not VectorChange.objects.exists()
    assert found(asked) == ["mine", "at 3", "at 4"]


def test_a_track_in_the_bin_and_one_that_is_analysed_again(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, owner: User
) -> None:
    asked = done_track(None, angle=0)
    shared = done_track(owner, title="shared", angle=2.5, visibility="catalogue")
    vector_filling.fill()
    bin_tracks(Track.objects.filter(pk=shared.pk))
    assert "shared" not in found(asked, k=10)
    tasks.carry_vectors()
    assert shared.pk not in held(engine)
    row = TrackLens.objects.get(track=catalogue[39], lens="harmony")
    row.vector = pointing(0.25, SIZES["harmony"])
    row.save(update_fields=["vector"])
    assert VectorChange.objects.count() == 1
    tasks.carry_vectors()
    assert found(asked)[0] == "at 40"


def test_what_concerns_the_catalogue_not_is_not_noted(
    engine: QdrantClient, done_track: Make, owner: User, other: User
) -> None:
    vector_filling.fill()
    private = done_track(owner, angle=3)
    Track.objects.filter(pk=private.pk).update(owner=other)
    TrackLens.objects.filter(track=private).update(vector=pointing(4, SIZES["harmony"]))
    private.delete()
    common = done_track(None, angle=5)
    assert VectorChange.objects.count() == 1
    tasks.carry_vectors()
    TrackLens.objects.filter(track=common).update(isolation=0.5, public=True)
    assert not VectorChange.objects.exists()


def test_the_lenses_move_over_to_another_version_by_themselves(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    vector_filling.fill()
    assert vector_engine.in_service() == {(lens, VERSION) for lens in LENSES}
    for module in (vector_filling, lenses):
        monkeypatch.setattr(module, "VERSION", "next")
    TrackLens.objects.filter(track__in=[*catalogue[:20], asked]).update(version="next")
    tasks.carry_vectors()
    assert ("harmony", "next") in vector_engine.in_service()
    assert not [version for lens, version in vector_engine.known() if lens == "harmony" and version != "next"]
    TrackLens.objects.update(version="next")
    tasks.carry_vectors()
    assert held(engine, version="next") == set(TrackLens.objects.values_list("track", flat=True))


# --- when something fails -------------------------------------------------------------------------------
@pytest.fixture
def served(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the engine be a server that answers with an error; give what it was asked."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            calls.append(self.path)
            body = json.dumps({"status": {"error": "out of order"}, "time": 0}).encode()
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *args: Any) -> None:
            pass

    monkeypatch.setattr(vector_engine, "_rests_until", {})
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.QDRANT_URL = f"http://127.0.0.1:{server.server_port}"
        yield calls
        server.shutdown()


@pytest.mark.slow
def test_an_engine_that_fails_is_asked_again_later(
    served: list[str],
    catalogue: list[Track],
    done_track: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = done_track(None, angle=0)
    expected = ["at 1", "at 2", "at 3"]
    assert found(asked) == expected
    assert served == [f"/collections/genreweb-harmony-{VERSION}/points/query"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "out of order" in caplog.text
    assert found(asked) == expected
    # Not asked, and nothing said.
    assert (len(served), len(caplog.records)) == (1, 1)
    later = time.monotonic() + vector_engine.REST_SECONDS + 1
    monkeypatch.setattr(vector_engine, "time", SimpleNamespace(monotonic=lambda: later))
    assert found(asked) == expected
    assert (len(served), len(caplog.records)) == (2, 2)


@pytest.mark.slow
def test_an_engine_that_says_nothing_or_is_not_there(
    catalogue: list[Track], done_track: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.QDRANT_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(vector_engine, "_rests_until", {})
        assert found(asked) == ["at 1", "at 2", "at 3"]
        assert list(vector_engine._rests_until) == [""]
    # The port is closed now.
    monkeypatch.setattr(vector_engine, "_rests_until", {})
    assert found(asked) == ["at 1", "at 2", "at 3"]
    assert list(vector_engine._rests_until) == [""]
    vector_changes.note()
    done_track(None, angle=2)
    tasks.carry_vectors()
    assert VectorChange.objects.count() == 1
    with pytest.raises(CommandError, match="does not answer"):
        call_command("fill_vectors", "--anew")
    assert VectorChange.objects.count() == 1


def test_what_is_being_filled_answers_nothing_and_is_gone_on_with(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    monkeypatch.setattr(vector_changes, "LOT", 15)
    write, written = vector_engine.write, []

    def interrupted(lens: str, version: str, vectors: Any) -> None:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(set(vectors))
        write(lens, version, vectors)

    monkeypatch.setattr(vector_engine, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vector_filling.fill()
    assert held(engine) == written[0]
    assert VectorChange.objects.count() == 41 - 15
    assert found(asked) == ["at 1", "at 2", "at 3"]
    assert list(vector_engine._rests_until) == ["harmony"]
    monkeypatch.setattr(vector_engine, "write", write)
    steps: list[str] = []
    progress: list[tuple[int, int]] = []
    states = vector_filling.fill(on_step=steps.append, on_lot=lambda *done: progress.append(done))
    assert "Going on" in steps[0]
    assert progress[-1] == (26, 26)
    assert [total for _done, total in progress] == [26] * len(progress)
    assert states == dict.fromkeys(LENSES, "in service")
    assert held(engine) == public()


def test_a_worker_killed_after_the_engine_took_a_lot_loses_nothing(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    vector_filling.fill()
    new = done_track(None, title="new", angle=0.5)
    gone = catalogue[0].pk
    catalogue[0].delete()
    remove = vector_engine.remove

    def killed(*arguments: Any) -> None:
        remove(*arguments)
        raise SystemExit

    monkeypatch.setattr(vector_engine, "remove", killed)
    with pytest.raises(SystemExit):
        tasks.carry_vectors()
    assert new.pk in held(engine)
    assert {change.track for change in VectorChange.objects.all()} == {new.pk, gone}
    monkeypatch.setattr(vector_engine, "remove", remove)
    tasks.carry_vectors()
    assert not VectorChange.objects.exists()
    assert held(engine) == public()
    assert found(asked) == ["new", "at 2", "at 3"]


def test_an_engine_that_lost_its_data_is_not_asked_until_it_is_filled(
    engine: QdrantClient, catalogue: list[Track], done_track: Make
) -> None:
    asked = done_track(None, angle=0)
    vector_filling.fill()
    vector_filling.look_for_faults()
    vector_engine.drop(vector_engine.known())
    assert found(asked) == ["at 1", "at 2", "at 3"]
    done_track(None, title="new", angle=0.5)
    cache.clear()
    tasks.carry_vectors()
    # The new one is there, and it is known that this is not all.
    assert len(held(engine)) == 1
    assert ("harmony", VERSION) not in vector_engine.in_service()
    assert found(asked) == ["new", "at 1", "at 2"]
    with pytest.raises(ConcernError, match="not whole by harmony; 0 changes wait"):
        vector_filling.look_for_faults()
    out = StringIO()
    call_command("fill_vectors", stdout=out)
    assert "harmony: in service" in out.getvalue()
    vector_filling.look_for_faults()
    assert held(engine) == public()
    assert vector_filling.lenses_in_service() == {(lens,): 1.0 for lens in LENSES}


def test_another_process_that_carries_changes_over_is_left_to_it(
    engine: QdrantClient, catalogue: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    vector_filling.fill()
    catalogue[0].delete()
    monkeypatch.setattr(vector_changes, "hold", lambda *, wait: False)
    assert vector_filling.keep_up() == 0
    assert VectorChange.objects.count() == 1


# --- with and without -----------------------------------------------------------------------------------
def test_without_the_engine_nothing_is_asked_noted_or_scheduled(
    catalogue: list[Track], done_track: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    query = query_of([asked])
    monkeypatch.setattr(vector_engine, "_connected", None)
    similar(viewer=NOBODY, query=query, by="harmony")
    with CaptureQueriesContext(connection) as queries:
        similar(viewer=NOBODY, query=query, by="harmony")
    # Whether all analyses have moved over, which are nearest, and what is shown of them.
    assert len(queries) == 3
    assert not any("library_vectorchange" in each["sql"] for each in queries)
    assert not vector_changes.are_noted()
    assert not VectorChange.objects.exists()
    assert not [name for name in beat_schedule(training="") if "vectors" in name]
    with pytest.raises(CommandError, match="QDRANT_URL"):
        call_command("fill_vectors")


def test_with_the_engine_there_are_as_many_queries(
    engine: QdrantClient, catalogue: list[Track], done_track: Make
) -> None:
    query = query_of([done_track(None, angle=0)])
    vector_filling.fill()
    similar(viewer=NOBODY, query=query, by="harmony")
    with CaptureQueriesContext(connection) as queries:
        similar(viewer=NOBODY, query=query, by="harmony")
    assert len(queries) == 3
    task = beat_schedule(training="", vectors=True)["carry changes of vectors over to their engine"]
    assert task["task"] == tasks.carry_vectors.name


def test_stopping_leaves_nothing_behind(
    engine: QdrantClient, catalogue: list[Track], done_track: Make
) -> None:
    vector_filling.fill()
    engine.create_collection("of somebody else", vectors_config={})
    catalogue[0].delete()
    call_command("fill_vectors", "--stop", stdout=StringIO())
    assert [each.name for each in engine.get_collections().collections] == ["of somebody else"]
    assert not vector_changes.are_noted()
    assert not VectorChange.objects.exists()
    done_track(None)
    assert not VectorChange.objects.exists()


def test_a_site_whose_engine_was_taken_away_stops_noting(
    engine: QdrantClient, catalogue: list[Track], settings: Settings
) -> None:
    vector_filling.fill()
    catalogue[0].delete()
    tasks.tidy()
    assert VectorChange.objects.count() == 1
    settings.QDRANT_URL = ""
    tasks.tidy()
    assert not vector_changes.are_noted()
    assert not VectorChange.objects.exists()
    # Given back, it is not trusted with what it missed.
    settings.QDRANT_URL = "http://qdrant.invalid:6333"
    assert vector_engine.in_service()
    tasks.carry_vectors()
    assert not vector_engine.in_service()
    with pytest.raises(ConcernError, match="fill_vectors"):
        vector_filling.look_for_faults()


def test_health_and_metrics_say_how_the_engine_does(
    engine: QdrantClient, catalogue: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_concerns", [])
    monkeypatch.setattr(metrics, "_gauges", [])
    watch_vector_engine()

    def gauges() -> dict[str, list[float]]:
        return {each.name: [sample.value for sample in each.samples] for each in metrics._registered()}

    # Asked by another connection, which sees nothing of this transaction: not even the trigger.
    assert health.concerns() == {
        "vectors": "The engine for vectors was not filled: run manage.py fill_vectors."
    }
    vector_filling.fill()
    catalogue[0].delete()
    assert gauges() == {"genreweb_vector_changes": [1.0], "genreweb_vector_engine": [1.0] * len(LENSES)}
    engine.close()
    assert gauges()["genreweb_vector_engine"] == [0.0] * len(LENSES)
    with pytest.raises(ConcernError, match="does not answer"):
        vector_filling.look_for_faults()


def test_a_key_without_an_address_is_named(settings: Settings) -> None:
    settings.QDRANT_API_KEY = "secret"
    settings.QDRANT_URL = ""
    assert [fault.id for fault in engines()] == ["genreweb.E012"]
    settings.QDRANT_URL = "http://qdrant:6333"
    assert engines() == []


def test_an_error_of_the_engine_is_one_of_ours(engine: QdrantClient) -> None:
    vector_engine.remove("harmony", "unknown", [uuid4()])
    with pytest.raises(EngineError, match="not found"):
        vector_engine.count("harmony", "unknown")
