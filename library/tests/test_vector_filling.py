"""Filling the second engine for vectors, keeping it in step, and giving it up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
import yaml
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings
from qdrant_client import QdrantClient

from classifier.core.lenses import LENSES, SIZES, VERSION
from genreweb import health, metrics
from genreweb.accounts.models import User
from genreweb.embedded.paths import REPOSITORY
from genreweb.health import ConcernError
from library import tasks
from library.apps import watch_vector_engine
from library.models import Track, TrackLens, VectorChange
from library.services import lenses, vector_changes, vector_engine, vector_filling
from library.services.bin import bin_tracks
from library.tests.conftest import pointing
from library.tests.vector_engines import found, held, public

# The local form of the engine compares with every vector, and says so.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Local mode:UserWarning"),
]

Make = Callable[..., Track]


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


# --- what is interrupted ---------------------------------------------------------------------------------
def test_what_is_being_filled_answers_nothing_and_is_gone_on_with(
    engine: QdrantClient, catalogue: list[Track], done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done_track(None, angle=0)
    monkeypatch.setattr(vector_changes, "LOT", 15)
    write = vector_engine.write
    written: list[set[UUID]] = []

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


def test_what_no_longer_fits_is_found_by_counting(
    engine: QdrantClient, catalogue: list[Track], done_track: Make
) -> None:
    asked = done_track(None, angle=0)
    vector_filling.fill()
    tasks.carry_vectors()
    # As after a restore of an older state of either side: nobody noted it.
    engine.delete(f"genreweb-harmony-{VERSION}-rows", [str(catalogue[0].pk)])
    cache.delete("vector-engine-look")
    tasks.carry_vectors()
    assert found(asked) == ["at 2", "at 3", "at 4"]
    cache.clear()
    tasks.carry_vectors()
    assert vector_engine.in_service() == {(lens, VERSION) for lens in LENSES if lens != "harmony"}
    assert found(asked) == ["at 1", "at 2", "at 3"]


def test_the_triggers_can_be_restored_from_a_dump(done_track: Make) -> None:
    vector_changes.note()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        (usual,) = cursor.fetchone()
        # As pg_restore does it.
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute(
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE 'tracklens_note_%'"
        )
        definitions = dict(cursor.fetchall())
        for name, definition in definitions.items():
            cursor.execute(f"DROP TRIGGER {name} ON public.library_tracklens")
            cursor.execute(definition)
        cursor.execute("SELECT set_config('search_path', %s, true)", [usual])
    assert len(definitions) == 3
    track = done_track(None)
    assert VectorChange.objects.count() == 1
    track.delete()
    assert VectorChange.objects.count() == 2


def test_another_process_that_carries_changes_over_is_left_to_it(
    engine: QdrantClient, catalogue: list[Track]
) -> None:
    vector_filling.fill()
    catalogue[0].delete()
    # This connection holds the lock since it filled the engine, as its transaction is that of the test.
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        taken = other.execute("SELECT pg_try_advisory_xact_lock(%s)", [vector_changes._LOCK]).fetchone()
    assert taken == (False,)
    with patch.object(vector_changes, "_LOCK", vector_changes._LOCK + 1):
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [vector_changes._LOCK])
            assert vector_filling.keep_up() == 0
            vector_engine.take_out_of_service({("mood", VERSION)})
            states = dict(vector_filling.settle())
        assert states == {**dict.fromkeys(LENSES, "in service"), "mood": "waiting"}
        assert VectorChange.objects.count() == 1
        assert vector_filling.keep_up() == 1
    assert held(engine) == public()


# --- with and without ------------------------------------------------------------------------------------
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


def test_the_web_server_imports_the_client_before_it_forks() -> None:
    code = "import genreweb.wsgi, sys; print('qdrant_client' in sys.modules)"
    env = {**os.environ, "QDRANT_URL": "http://qdrant.invalid:6333"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ["True"], done.stderr


def test_containers_bring_the_engine_where_it_is_wanted() -> None:
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    engine, locked = compose["services"]["qdrant"], (REPOSITORY / "requirements.txt").read_text()
    assert engine["profiles"] == ["vectors"], "nobody gets it unasked"
    assert "ports" not in engine, "it has no key"
    # The client that is pinned, or a minor version beside it: what its makers say goes together.
    (server,) = re.findall(r"qdrant/qdrant:v1\.(\d+)\.\d+", engine["image"])
    (client,) = re.findall(r"^qdrant-client==1\.(\d+)\.", locked, re.MULTILINE)
    assert abs(int(server) - int(client)) <= 1
    volume, _, place = engine["volumes"][0].partition(":")
    assert (volume in compose["volumes"], place) == (True, "/qdrant/storage")
    assert not [name for name, each in compose["services"].items() if "qdrant" in each.get("depends_on", {})]
    assert compose["services"]["web"]["environment"]["QDRANT_URL"] == "${QDRANT_URL:-}"
