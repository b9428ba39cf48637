"""Hostile values for every parameter and field that the schema of the API names: no answer is a 500."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.accounts.webhooks import service
from library.models import Playlist, Reanalysis, Track, UploadBatch
from training.tests.clips import make_clip
from training.tests.versions import make_run

pytestmark = pytest.mark.django_db

TEXTS = (
    *("", "\0", "a\0b", "%", "\\", "\ud800", "\U0001f3b7", "a" * 3000, "1" * 400, "-1", "0", "1.5"),
    *("9223372036854775808", "-9223372036854775809", "1e400", "nan", "-inf", "٣"),
)
MOMENTS = (
    *("2020-01-01T00:00:00+23:00", "2020-01-01T00:00:00-23:59", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "0000-00-00", "2020-13-45", "-2020-01-01", "10000-01-01", "24:00"),
)
VALUES: tuple[Any, ...] = (None, True, 0, -1, 2**31, 2**63, 10**400, 1.5, [], {"a": [None]})
"""What JSON can hold beside texts."""
OF_KNOWN = ("a\0b", "9223372036854775808", "nan")
"""What parameters are tried with that another call has too."""


@dataclass(frozen=True)
class Operation:
    path: str
    method: str
    described: dict[str, Any]

    def parameters(self, where: str) -> list[str]:
        return [row["name"] for row in self.described.get("parameters", ()) if row["in"] == where]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    return dict(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


def operations(schema: dict[str, Any]) -> list[Operation]:
    return [
        Operation(path, method, described)
        for path, methods in schema["paths"].items()
        for method, described in methods.items()
    ]


@pytest.fixture
def client(api: Callable[[User], APIClient], staff: User, curator: User, settings: Settings) -> APIClient:
    staff.groups.add(*curator.groups.all())
    client = api(staff)
    client.raise_request_exception = False
    return client


@pytest.fixture(autouse=True)
def _without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = dict.fromkeys(SimpleRateThrottle.THROTTLE_RATES)
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


@pytest.fixture
def ids(
    staff: User, genres: dict[str, Genre], done_track: Callable[..., Track], client: APIClient
) -> dict[str, str]:
    """One row for each kind of address."""
    track = done_track(staff)
    clip = make_clip(staff, genres["blues"], sound=False)
    version = track.current.model_version if track.current else None
    assert version is not None
    return {
        "tracks": str(track.pk),
        "clips": str(clip.pk),
        "model-versions": str(version.pk),
        "reanalyses": str(Reanalysis.objects.create(scope="mine", requested_by=staff, status="done").pk),
        "training-runs": str(make_run(version, [(clip, "train")]).pk),
        "moods": "mellow",
        "uploads": str(UploadBatch.objects.create(owner=staff, status="done").pk),
        "tokens": "none",
        "webhooks": str(_webhook(staff)),
        "bin": str(track.pk),
        "samples": "riff",
        "playlists": str(Playlist.objects.create(owner=staff, title="Fuzz").pk),
    }


def _webhook(user: User) -> UUID:
    return service.create(user=user, address="https://example.org/", events=["track.failed"])[0].pk


def filled(operation: Operation, ids: dict[str, str]) -> str:
    kind = operation.path.split("/")[3]
    path = operation.path
    for name in operation.parameters("path"):
        path = path.replace(f"{{{name}}}", ids[kind])
    return path


def queries(operation: Operation, ids: dict[str, str], filters: set[str]) -> Iterator[tuple[str, Any]]:
    """Parameters that are described alike are one filter: the first list tries all its values."""
    for parameter in operation.described.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] != "query":
            continue
        is_first = (mine := json.dumps(parameter, sort_keys=True, default=str)) not in filters
        filters.add(mine)
        tried = [*TEXTS, *(MOMENTS if name.startswith("created") else ())]
        for text in tried if is_first else OF_KNOWN:
            sent = text.encode("utf-8", "surrogatepass")
            yield f"{filled(operation, ids)}?{urlencode({name: sent})}", None
        yield f"{filled(operation, ids)}?{name}=1&{name}=%00&{name}=a", None
        yield f"{filled(operation, ids)}?{name}=%ff%fe", None


def paths(operation: Operation, ids: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for name in operation.parameters("path"):
        for text in (*TEXTS[1:10:2], TEXTS[12], str(uuid.UUID(int=2**128 - 1)), "9" * 30):
            shown = quote(text.encode("utf-8", "surrogatepass"), safe="")
            yield operation.path.replace(f"{{{name}}}", shown), None


def bodies(operation: Operation, ids: dict[str, str], schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    content = operation.described.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return
    described = content["application/json"]["schema"]
    if described.get("type") == "array":
        described = described["items"]
    fields = schema["components"]["schemas"][described["$ref"].rpartition("/")[2]]["properties"]
    usual = {name: _usual(field, ids) for name, field in fields.items()}
    address = filled(operation, ids)
    for body in (*VALUES, [usual], {**usual, "more": "\0"}):
        yield address, body
    for name in fields:
        for value in (*TEXTS[:8], *VALUES):
            yield address, {**usual, name: value}


def _usual(field: dict[str, Any], ids: dict[str, str]) -> Any:
    if field.get("enum"):
        return field["enum"][0]
    kind = {"integer": 1, "boolean": True, "number": 1.0, "array": [], "object": {}}
    return ids["clips"] if field.get("format") == "uuid" else kind.get(field.get("type", ""), "blues")


@pytest.mark.slow
def test_no_value_of_any_parameter_or_field_is_a_fault_of_ours(
    schema: dict[str, Any], client: APIClient, ids: dict[str, str]
) -> None:
    faults, statuses, filters = [], Counter[int](), set[str]()
    for operation in operations(schema):
        calls = (queries(operation, ids, filters), paths(operation, ids), bodies(operation, ids, schema))
        for address, body in chain(*calls):
            sent = "" if body is None else json.dumps(body)
            # Whatever it did is undone before the next.
            with transaction.atomic():
                response = client.generic(operation.method.upper(), address, sent, "application/json")
                transaction.set_rollback(True)
            statuses[response.status_code] += 1
            # Features are measured by a worker, and none runs here.
            unanswered = response.status_code == 503 and operation.path.endswith("/features/")
            if response.status_code >= 500 and not unanswered:
                faults.append(f"{operation.method} {address[:200]} {sent[:200]}: {response.status_code}")
    assert faults == []
    # Values that are taken and values that are refused were both among them.
    assert min(statuses[200], statuses[400], statuses[404]) > 100, statuses


def test_an_unknown_parameter_is_refused_by_every_operation(
    schema: dict[str, Any], client: APIClient, ids: dict[str, str]
) -> None:
    for operation in operations(schema):
        address = f"{filled(operation, ids)}?colour=blue"
        response = client.generic(operation.method.upper(), address, "", "application/json")
        assert response.status_code == 400, operation
        error = response.json()["error"]
        assert error["code"] == "unknown_parameter"
        assert "colour" in error["message"]
        assert all(name in error["message"] for name in operation.parameters("query"))
    # Nothing was done: what would have been deleted is there.
    assert client.get(f"/api/v1/tracks/{ids['tracks']}/").status_code == 200
    assert client.head("/api/v1/tracks/?colour=blue").status_code == 400
    assert client.head("/api/v1/tracks/?page_size=1").status_code == 200


def test_half_of_a_surrogate_pair_is_refused_as_such(client: APIClient, ids: dict[str, str]) -> None:
    address = f"/api/v1/tracks/{ids['tracks']}/"
    response = client.generic("PATCH", address, '{"title": "\\ud800"}', "application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "parse_error")
    whole = client.generic("PATCH", address, '{"title": "\\ud83c\\udfb7"}', "application/json")
    assert whole.json()["title"] == "\U0001f3b7"
