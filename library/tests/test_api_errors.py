"""All errors have one shape: a problem, with {"error": {"code", "message"}} in it, and fields if any."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.http import UnreadablePostError
from django.test import Client
from pytest_django import Settings
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api
from library.tests.sounds import wav

TRACKS = "/api/v1/tracks/"
Make = Callable[..., Track]


def error(response: Any) -> dict[str, Any]:
    """Check the shape of an error response and return the error."""
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "error"} <= set(body)
    assert body["status"] == response.status_code
    assert (body["code"], body["detail"]) == (body["error"]["code"], body["error"]["message"])
    assert body.get("fields") == body["error"].get("fields")
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "fields"}
    assert body["error"]["message"]
    return dict(body["error"])


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "path", ["nothing/", "nothing", "tracks/17/", "tracks/../../x", "", "tracks/x/similar/"]
)
def test_unknown_addresses(client: Client, db: None, method: str, path: str) -> None:
    response = getattr(client, method)(f"/api/v1/{path}")
    assert response.status_code == 404
    assert error(response)["code"] == "not_found"


def test_a_forgotten_slash(client: Client, db: None) -> None:
    for method in ("get", "post", "patch"):
        response = getattr(client, method)("/api/v1/tracks?x=1")
        assert response.status_code == 308
        assert response["Location"] == "/api/v1/tracks/?x=1"


@pytest.mark.parametrize("token", ["gw_nothing", "", "a b", "\x00", "\xff\xfe", "x" * 5000])
def test_tokens_that_are_none(client: Client, db: None, token: str) -> None:
    response = client.get(TRACKS, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    error(response)


def test_a_closed_account(api: Api, owner: User) -> None:
    client = api(owner)
    assert client.get(TRACKS).status_code == 200
    User.objects.update(is_active=False)
    response = client.get(TRACKS)
    assert response.status_code == 401
    error(response)


def test_methods_and_types_that_are_none(owner_api: APIClient) -> None:
    response = owner_api.delete(TRACKS)
    assert (response.status_code, error(response)["code"]) == (405, "method_not_allowed")
    response = owner_api.post(TRACKS, "<track/>", content_type="application/xml")
    assert (response.status_code, error(response)["code"]) == (415, "unsupported_media_type")
    response = owner_api.get(TRACKS, headers={"Accept": "text/html"})
    assert (response.status_code, error(response)["code"]) == (406, "not_acceptable")
    response = owner_api.get(TRACKS, headers={"Accept": "nonsense"})
    assert (response.status_code, error(response)["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_whoever_takes_anything_gets_json(owner_api: APIClient, accept: str) -> None:
    response = owner_api.get(TRACKS, headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_sentences_speak_the_readers_language(owner_api: APIClient) -> None:
    response = owner_api.delete(TRACKS, headers={"Accept-Language": "ko"})
    assert "DELETE" in error(response)["message"]
    assert error(response)["message"] != error(owner_api.delete(TRACKS))["message"]


def test_a_body_in_memory_is_bounded(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="old")
    address = f"{TRACKS}{track.pk}/"
    bodies = {
        "application/json": '{"title": "' + "x" * 2_000_000 + '"}',
        "application/x-www-form-urlencoded": "title=" + "x" * 2_000_000,
    }
    for content_type, body in bodies.items():
        response = owner_api.generic("PATCH", address, body, content_type=content_type)
        assert response.status_code == 413
        assert error(response)["code"] == "request_too_large"
    response = owner_api.post(TRACKS, {"title": "x" * 2_000_000}, format="multipart")
    assert (response.status_code, error(response)["code"]) == (413, "request_too_large")
    small = owner_api.generic("PATCH", address, "title=new", content_type="application/x-www-form-urlencoded")
    assert small.json()["title"] == "new"


def test_json_without_end_is_refused(owner_api: APIClient, owner: User, done_track: Make) -> None:
    address = f"{TRACKS}{done_track(owner).pk}/"
    response = owner_api.generic("PATCH", address, "[" * 50_000, content_type="application/json")
    assert (response.status_code, error(response)["code"]) == (400, "parse_error")


def test_too_many_fields(owner_api: APIClient, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    response = owner_api.post(TRACKS, {f"f{n}": "x" for n in range(9)}, format="multipart")
    assert (response.status_code, error(response)["code"]) == (400, "bad_request")


class _Broken:
    """A storage's ``save`` that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *args: object, **kwargs: object) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "storage_full"),
        (RuntimeError("a secret of the server"), 500, "internal"),
        (OperationalError("the connection to a secret address failed"), 503, "unavailable"),
        (OSError(errno.EIO, "the disk at a secret place failed"), 503, "unavailable"),
    ],
)
def test_faults_of_the_site(
    owner_api: APIClient, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr("library.tests.storages.PathlessStorage.save", _Broken(fault))
    owner_api.raise_request_exception = False
    response = owner_api.post(TRACKS, {"file": SimpleUploadedFile("x.wav", wav())}, format="multipart")
    assert response.status_code == status
    assert error(response)["code"] == code
    assert "secret" not in response.content.decode()
    assert not Track.objects.exists()


def test_a_connection_that_breaks_in_the_middle_of_a_file(
    owner_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django.http.multipartparser.ChunkIter.__next__", _Broken(UnreadablePostError("broken"))
    )
    response = owner_api.post(TRACKS, {"file": SimpleUploadedFile("x.wav", wav())}, format="multipart")
    assert (response.status_code, error(response)["code"]) == (400, "bad_request")
    assert not Track.objects.exists()


def test_a_fault_reaches_whoever_watches_for_faults(
    owner_api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("library.tests.storages.PathlessStorage.save", _Broken(RuntimeError("look here")))
    with pytest.raises(RuntimeError, match="look here"):
        owner_api.post(TRACKS, {"file": SimpleUploadedFile("x.wav", wav())}, format="multipart")
    assert any(record.exc_info and "failed" in record.message for record in caplog.records)


# --- how often ---------------------------------------------------------------------------------------------
@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give rates that a test may change."""
    changed = dict(api_settings.DEFAULT_THROTTLE_RATES)
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", changed)
    return changed


def test_too_often_without_an_account(client: Client, db: None, rates: dict[str, Any]) -> None:
    rates["anon"] = "2/min"
    answers = [client.get("/api/v1/genres/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error(answers[-1])["code"] == "throttled"
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_too_many_uploads_do_not_stop_the_reading(owner_api: APIClient, rates: dict[str, Any]) -> None:
    rates["upload"] = "1/min"
    answers = [owner_api.post(TRACKS, {}, format="multipart") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 429]
    assert owner_api.get(TRACKS).status_code == 200


def test_everybody_counts_alone(api: Api, owner: User, other: User, rates: dict[str, Any]) -> None:
    rates["user"] = "1/min"
    first, second = api(owner), api(other)
    assert [first.get(TRACKS).status_code for _ in range(2)] == [200, 429]
    assert second.get(TRACKS).status_code == 200


def test_while_redis_is_away_the_process_counts_by_itself(
    client: Client, db: None, rates: dict[str, Any], settings: Settings
) -> None:
    rates["anon"] = "2/min"
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"},
    }
    assert [client.get("/api/v1/genres/").status_code for _ in range(3)] == [200, 200, 429]
