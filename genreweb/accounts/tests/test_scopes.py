"""What a token may do: its scopes and its end, whatever view is asked."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from genreweb.accounts import tokens
from genreweb.accounts.models import CURATORS, ApiToken, User
from genreweb.accounts.scopes import Scope, all_scopes
from genreweb.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/api/v1/tokens/"
NOWHERE = "00000000-0000-0000-0000-000000000000"


def program(user: User, *scopes: str) -> APIClient:
    client = APIClient()
    secret = tokens.create_token(user=user, name="test", scopes=scopes)[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def curator(person: User) -> User:
    person.groups.add(Group.objects.get_or_create(name=CURATORS)[0])
    return person


WRITES: Sequence[tuple[str, str, str]] = [
    ("upload", "post", "tracks/"),
    ("upload", "patch", f"tracks/{NOWHERE}/"),
    ("upload", "delete", f"tracks/{NOWHERE}/"),
    ("upload", "post", f"bin/{NOWHERE}/restore/"),
    ("upload", "post", "samples/polka/"),
    ("upload", "delete", f"bin/{NOWHERE}/"),
    ("upload", "post", f"tracks/{NOWHERE}/analyse/"),
    ("upload", "post", f"tracks/{NOWHERE}/explanation/"),
    ("upload", "post", "classify/"),
    ("upload", "post", "reanalyses/"),
    ("contribute", "post", "clips/"),
    ("contribute", "delete", f"clips/{NOWHERE}/"),
    ("curate", "post", "clips/review/"),
    ("curate", "post", "genres/"),
    ("curate", "post", "training-runs/"),
    ("curate", "post", "model-versions/rollback/"),
]


@pytest.mark.parametrize(("scope", "method", "path"), WRITES)
def test_each_scope_opens_its_own_calls_only(curator: User, scope: str, method: str, path: str) -> None:
    others = [other for other in Scope.values if other != scope]
    refused = getattr(program(curator, *others), method)(f"/api/v1/{path}")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == f"missing_scope_{scope}"
    assert scope in refused.json()["error"]["message"]
    assert refused["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    # The empty request is refused for what it says, not for who says it.
    assert getattr(program(curator, scope), method)(f"/api/v1/{path}").status_code in (400, 404, 409, 415)


def test_without_the_scope_to_curate_a_curator_is_none(curator: User) -> None:
    reader, whole = program(curator, "read"), program(curator, *all_scopes())
    assert reader.get("/api/v1/me/").json()["is_curator"] is False
    assert whole.get("/api/v1/me/").json()["is_curator"] is True
    refused = reader.get("/api/v1/training-runs/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope_curate")
    assert whole.get("/api/v1/training-runs/").status_code == 200
    # The scope alone makes nobody a curator.
    curator.groups.clear()
    assert program(curator, "read", "curate").get("/api/v1/training-runs/").status_code == 404


def test_reading_needs_its_scope_too(person: User) -> None:
    refused = program(person, "upload").get("/api/v1/tracks/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope_read")
    assert program(person, "read").get("/api/v1/tracks/").status_code == 200


def test_what_names_no_scope_takes_all_of_them(person: User) -> None:
    key = ApiToken.objects.create(user=person, name="old")[0].token_key
    for scopes in (["read"], ["read", "upload", "contribute"]):
        limited = program(person, *scopes)
        assert limited.patch("/api/v1/me/", {"display_name": "x"}).status_code == 403
        assert limited.delete(f"{URL}{key}/").status_code == 403
    whole = program(person, *all_scopes())
    assert whole.patch("/api/v1/me/", {"display_name": "x"}).status_code == 200
    assert whole.delete(f"{URL}{key}/").status_code == 204
    assert not ApiToken.objects.filter(token_key=key).exists()


def test_a_session_has_every_scope(person: User) -> None:
    page = APIClient()
    page.force_login(person)
    assert page.patch("/api/v1/me/", {"display_name": "x"}).status_code == 200


def test_the_api_gives_scopes_and_an_end(person: User) -> None:
    anonymous = APIClient()
    credentials = {"email": person.email, "password": PASSWORD}
    soon = timezone.now() + timedelta(hours=1)
    made = anonymous.post(URL, {**credentials, "name": "cron", "scopes": ["upload"], "expires": soon})
    assert made.status_code == 201
    row = ApiToken.objects.get(user=person)
    assert (row.scopes, made.json()["scopes"]) == (["upload"], ["upload"])
    assert row.expiry is not None
    assert abs((row.expiry - soon).total_seconds()) < 5
    wrongs: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": ["all"]},
        {"expires": timezone.now() - timedelta(seconds=1)},
        {"expires": "tomorrow"},
    ]
    for wrong in wrongs:
        refused = anonymous.post(URL, {**credentials, **wrong})
        assert (refused.status_code, set(refused.json()["error"]["fields"])) == (400, set(wrong))
    assert ApiToken.objects.count() == 1
    ApiToken.objects.update(expiry=timezone.now())
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {made.json()['token']}")
    assert anonymous.post("/api/v1/tracks/").status_code == 401


def test_renames_ones_own(person: User, other: User) -> None:
    whole = program(person, *all_scopes())
    mine = ApiToken.objects.get(user=person)
    assert whole.patch(f"{URL}{mine.token_key}/", {"name": "the  laptop"}).json()["name"] == "the laptop"
    mine.refresh_from_db()
    assert mine.name == "the laptop"
    theirs = tokens.create_token(user=other, name="theirs")[0]
    assert whole.patch(f"{URL}{theirs.token_key}/", {"name": "mine"}).status_code == 404
    assert whole.patch(f"{URL}{mine.token_key}/", {}).status_code == 400
    theirs.refresh_from_db()
    assert theirs.name == "theirs"


def test_old_tokens_keep_working_and_get_a_name(person: User) -> None:
    row, secret = ApiToken.objects.create(user=person)
    named = ApiToken.objects.create(user=person, name="laptop")[0]
    migration: Any = importlib.import_module("genreweb.accounts.migrations.0004_scopes_and_idempotency")
    migration.name_the_nameless(apps, None)
    row.refresh_from_db()
    named.refresh_from_db()
    assert (row.name, named.name) == (f"Token {row.token_key}", "laptop")
    # The column's default is what the migration writes into rows that are there.
    assert set(row.scopes) == set(Scope.values)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get("/api/v1/me/").status_code == 200


@pytest.mark.slow
def test_the_schema_tells_the_scope_of_every_call() -> None:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    told = {
        (method, path): operation["x-token-scopes"]
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if "bearer" in {name for way in operation.get("security", []) for name in way}
    }
    assert told["get", "/api/v1/tracks/"] == ["read"]
    assert told["post", "/api/v1/clips/"] == ["contribute"]
    assert told["get", "/api/v1/training-runs/"] == ["read", "curate"]
    assert told["patch", "/api/v1/me/"] == all_scopes()
