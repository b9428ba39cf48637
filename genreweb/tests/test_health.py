"""GET /healthz."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django.fixtures import Settings

from classifier.models import ModelVersion
from genreweb import health, heartbeat
from genreweb.version import VERSION

pytestmark = pytest.mark.django_db

WELL = {"database": "ok", "broker": "ok", "storage": "ok", "room": "ok", "worker": "ok"}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Ask every engine anew, and forget workers of tests that ran before in this process."""
    probes = (*health.PROBES, *health._details)
    for probe in probes:
        probe.forget()
    with heartbeat.connect() as client:
        client.delete("genreweb:workers:analysis", "genreweb:workers:bulk")
    yield
    for probe in probes:
        probe.forget()


@pytest.fixture
def worker() -> Iterator[None]:
    with heartbeat.connect() as client:
        heartbeat.beat(client, queues=["analysis", "bulk"], worker="analysis@here")
        yield
        heartbeat.leave(client, queues=["analysis", "bulk"], worker="analysis@here")


def ask(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/healthz")
    assert "no-store" in response["Cache-Control"]
    return response.status_code, response.json()


def test_everything_answers(client: Client, worker: None) -> None:
    assert ask(client) == (200, {"status": "ok", "version": VERSION, "checks": WELL})
    # What the probe wrote is gone.
    assert not default_storage.exists("healthz") or default_storage.listdir("healthz") == ([], [])


@pytest.mark.django_db(transaction=True)
def test_the_application_and_the_classifier_are_told_apart(client: Client, worker: None) -> None:
    shipped = ModelVersion.objects.create(
        name="2000.1", source=ModelVersion.Source.TRAINED, sha256="0" * 64, labels=[], is_in_service=True
    )
    status, said = ask(client)
    assert status == 200
    assert said["version"] == VERSION
    assert said["classifier"] == shipped.name
    # Nothing is said of a classifier while a part of the site is away.
    with heartbeat.connect() as redis:
        heartbeat.leave(redis, queues=["analysis", "bulk"], worker="analysis@here")
    for probe in health.PROBES:
        probe.forget()
    status, said = ask(client)
    assert status == 503
    assert said["version"] == VERSION
    assert "classifier" not in said


def test_no_worker(client: Client) -> None:
    status, said = ask(client)
    assert (status, said["status"]) == (503, "unavailable")
    assert said["checks"] == {**WELL, "worker": "unavailable"}


def test_worker_of_another_queue_is_none(client: Client) -> None:
    with heartbeat.connect() as redis:
        heartbeat.beat(redis, queues=["training"], worker="training@here")
        assert ask(client)[1]["checks"]["worker"] == "unavailable"
        heartbeat.leave(redis, queues=["training"], worker="training@here")


def test_worker_that_fell_silent_is_none(client: Client, worker: None) -> None:
    with heartbeat.connect() as redis:
        assert heartbeat.live_workers(redis, queue="analysis") == 1
        long_ago = time.time() - heartbeat.LOST_AFTER_SECONDS - 1
        redis.zadd("genreweb:workers:analysis", {"analysis@here": long_ago})
        assert heartbeat.live_workers(redis, queue="analysis") == 0
        # Nor does one live that was last seen before the clock was set back.
        redis.zadd("genreweb:workers:analysis", {"analysis@here": time.time() + 3 * 86400})
        assert heartbeat.live_workers(redis, queue="analysis") == 0
    assert ask(client)[0] == 503


def test_broker_away(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock?db=0"
    status, said = ask(client)
    assert status == 503
    assert said["checks"] == {**WELL, "broker": "unavailable", "worker": "unavailable"}


def test_no_room_for_uploads(client: Client, worker: None, settings: Settings) -> None:
    assert ask(client)[0] == 200
    # Asked anew each time: no answer of before is given.
    settings.STORAGE_RESERVE_BYTES = 2**60
    status, said = ask(client)
    assert (status, said["checks"]) == (503, {**WELL, "room": "unavailable"})
    settings.STORAGE_RESERVE_BYTES = 0
    assert ask(client)[0] == 200


def test_no_answer_of_before_hides_that_an_engine_is_away(
    client: Client, worker: None, settings: Settings, tmp_path: Path
) -> None:
    assert ask(client)[0] == 200
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock?db=0"
    assert ask(client)[1]["checks"]["broker"] == "unavailable"


def test_database_away(client: Client, worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # The probe opens a connection of its own, so it can be sent to a server that is not there.
    from django.db import connections

    monkeypatch.setitem(connections.settings["default"], "HOST", "/nonexistent")
    status, said = ask(client)
    assert (status, said["checks"]) == (503, {**WELL, "database": "unavailable"})


def test_storage_away(client: Client, worker: None, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.storage.SignedFileSystemStorage",
            "OPTIONS": {"location": tmp_path / "file"},
        },
    }
    status, said = ask(client)
    assert (status, said["checks"]) == (503, {**WELL, "storage": "unavailable"})


def test_engine_that_hangs_does_not_hang_the_page(
    client: Client, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    release = threading.Event()
    asked = []

    def hang() -> None:
        asked.append(1)
        release.wait(30)

    stuck = health.Probe("database", hang, good_for=1)
    monkeypatch.setattr(health, "PROBES", (stuck, *health.PROBES[1:]))
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    try:
        for _ in range(3):
            assert ask(client)[1]["checks"] == {**WELL, "database": "unavailable"}
        # However often the page is asked for, one thread waits.
        assert asked == [1]
    finally:
        release.set()


def test_is_not_told_to_do_anything(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
    assert client.head("/healthz").status_code in (200, 503)
