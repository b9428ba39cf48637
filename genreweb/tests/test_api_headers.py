"""What stands in the heads of the API's answers, and who may read them from another origin."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from classifier.models import Genre
from genreweb.accounts import tokens
from genreweb.accounts.models import User
from genreweb.environment import Environment

pytestmark = pytest.mark.django_db
ME, TOKENS, GENRES = "/api/v1/me/", "/api/v1/tokens/", "/api/v1/genres/"
PLAYER = "https://player.example.org"


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> None:
    cache.clear()
    settings.CORS_ALLOWED_ORIGINS = [PLAYER]


@pytest.fixture
def person() -> User:
    return User.objects.create_user("ada@example.org")


@pytest.fixture
def bearer(person: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.create_token(user=person, name='0')[1]}"}


# --- validators ------------------------------------------------------------------------------------------
def test_what_has_not_changed_is_not_sent_again(client: Client, person: User, bearer: dict[str, str]) -> None:
    first = client.get(ME, headers=bearer)
    etag = first["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Accept-Language"} <= set(first["Vary"].split(", "))
    same = client.get(ME, headers={**bearer, "If-None-Match": f'"x", W/{etag}'})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    person.display_name = "Ada"
    person.save(update_fields=["display_name"])
    changed = client.get(ME, headers={**bearer, "If-None-Match": etag})
    assert (changed.status_code, changed.json()["display_name"]) == (200, "Ada")
    assert changed["ETag"] != etag


def test_another_language_and_another_reader_are_another_answer(
    client: Client, bearer: dict[str, str]
) -> None:
    Genre.objects.create(slug="blues", name="Blues", description="Twelve bars", colour="#1b9e77", position=1)
    etag = client.get(GENRES)["ETag"]
    assert client.get(GENRES, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(GENRES, headers={"If-None-Match": etag, "Accept-Language": "ko"}).status_code == 200
    other = User.objects.create_user("bo@example.org")
    theirs = {"Authorization": f"Bearer {tokens.create_token(user=other)[1]}"}
    mine = client.get(ME, headers=bearer)["ETag"]
    assert client.get(ME, headers={**theirs, "If-None-Match": mine}).status_code == 200


def test_errors_and_what_changes_something_have_no_validator(client: Client, bearer: dict[str, str]) -> None:
    assert not client.get(ME).has_header("ETag")
    changed = client.patch(
        ME, {"display_name": "A"}, content_type="application/json", headers={**bearer, "If-None-Match": "*"}
    )
    assert (changed.status_code, changed.has_header("ETag")) == (200, False)


# --- pages, limits, ids ----------------------------------------------------------------------------------
@pytest.mark.slow
def test_pages_are_linked(client: Client, person: User, bearer: dict[str, str]) -> None:
    for number in range(4):
        tokens.create_token(user=person, name=str(number))
    middle = client.get(f"{TOKENS}?page_size=2&page=2", headers=bearer)
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', middle["Link"]))
    assert {rel: address for address, rel in links.items()} == {
        "prev": middle.json()["previous"],
        "next": middle.json()["next"],
    }
    assert not client.get(TOKENS, headers=bearer).has_header("Link")


def test_limits_are_told_before_they_are_reached(
    client: Client, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: dict[str, Any] = {**api_settings.DEFAULT_THROTTLE_RATES, "anon": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    answers = [client.get(GENRES) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert all(answer["RateLimit-Policy"].startswith('"anon";q=2;w=60') for answer in answers)
    left = [re.match(r'"anon";r=(\d+);t=(\d+)', answer["RateLimit"]) for answer in answers]
    assert [int(found[1]) for found in left if found] == [1, 0, 0]
    assert all(0 < int(found[2]) <= 60 for found in left if found)
    # Of two limits each is told; where none is counted, none is.
    both = client.post("/api/v1/tracks/", headers=bearer)
    assert re.fullmatch(r'"user";q=\d+;w=60, "upload";q=\d+;w=60', both["RateLimit-Policy"])
    assert not client.get("/healthz").has_header("RateLimit")


def test_every_answer_has_the_id_of_its_request(client: Client) -> None:
    sent = str(uuid.uuid4())
    for path in (GENRES, ME, "/api/v1/nothing/"):
        assert client.get(path, headers={"X-Request-ID": sent})["X-Request-ID"] == sent
    made = client.get(GENRES, headers={"X-Request-ID": "<script>"})["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)


# --- other origins ---------------------------------------------------------------------------------------
def test_a_page_of_an_allowed_origin_is_let_ask(client: Client, bearer: dict[str, str]) -> None:
    asked = {
        "Origin": PLAYER,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
    }
    preflight = client.options("/api/v1/tracks/", headers=asked)
    assert preflight.status_code == 200
    assert preflight["Access-Control-Allow-Origin"] == PLAYER
    assert "POST" in preflight["Access-Control-Allow-Methods"]
    allowed = {name.strip() for name in preflight["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key", "if-none-match", "prefer"} <= allowed
    answer = client.get(ME, headers={**bearer, "Origin": PLAYER})
    assert answer.json()["email"] == "ada@example.org"
    assert answer["Access-Control-Allow-Origin"] == PLAYER
    assert "origin" in answer["Vary"].lower()
    exposed = answer["Access-Control-Expose-Headers"].lower()
    assert all(name in exposed for name in ("etag", "link", "ratelimit", "retry-after", "x-request-id"))
    # Errors are read too.
    assert client.get(ME, headers={"Origin": PLAYER})["Access-Control-Allow-Origin"] == PLAYER


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://player.example.org", "null"])
def test_a_page_of_any_other_origin_is_not(client: Client, origin: str) -> None:
    for answer in (
        client.get(GENRES, headers={"Origin": origin}),
        client.options(GENRES, headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
    ):
        assert not answer.has_header("Access-Control-Allow-Origin")


def test_cookies_of_the_site_count_for_no_other_origin(client: Client, person: User) -> None:
    client.force_login(person)
    for answer in (
        client.get(ME, headers={"Origin": PLAYER}),
        client.options(ME, headers={"Origin": PLAYER, "Access-Control-Request-Method": "GET"}),
    ):
        # A browser shows a page nothing of an answer that was asked for with cookies, unless this allows it.
        assert not answer.has_header("Access-Control-Allow-Credentials")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    changed = strict.patch(
        ME, {"display_name": "x"}, content_type="application/json", headers={"Origin": PLAYER}
    )
    assert changed.status_code == 403
    assert site.SESSION_COOKIE_SAMESITE == "Lax"


def test_pages_of_the_site_itself_are_open_to_no_other_origin(client: Client) -> None:
    assert not client.get("/", headers={"Origin": PLAYER}).has_header("Access-Control-Allow-Origin")


def test_origins_are_read_from_the_environment() -> None:
    read = Environment({"CORS_ALLOWED_ORIGINS": f"{PLAYER}/, http://localhost:5173"})
    assert read.origins("CORS_ALLOWED_ORIGINS", []) == [PLAYER, "http://localhost:5173"]
    wrong = Environment({"CORS_ALLOWED_ORIGINS": "*"})
    assert wrong.origins("CORS_ALLOWED_ORIGINS", []) == []
    assert "CORS_ALLOWED_ORIGINS" in wrong.faults
