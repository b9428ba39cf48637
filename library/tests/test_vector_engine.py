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
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from qdrant_client import QdrantClient

from classifier.core.lenses import LENSES, SIZES, VERSION
from genreweb.accounts.models import User
from genreweb.checks import engines
from genreweb.schedule import beat_schedule
from library import tasks
from library.models import Track, VectorChange
from library.services import seeding, vector_changes, vector_engine, vector_filling
from library.services.candidates import Conditions
from library.services.lens_queries import query_of
from library.services.seeding import Plan
from library.services.similar import similar
from library.services.vector_engine import EngineError
from library.tests.conftest import pointing
from library.tests.vector_engines import NOBODY, found, held, public

# The local form of the engine compares with every vector, and says so.
pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:Local mode:UserWarning")]

Make = Callable[..., Track]


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


@pytest.mark.slow
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


@pytest.mark.slow
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
        # Health waits no longer than for its other parts.
        assert vector_filling.lenses_in_service() == {(lens,): 0.0 for lens in LENSES}
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


@pytest.mark.slow
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
