"""OpenSubsonic: forms of answers, versions, authentication, scopes and limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.throttling import SimpleRateThrottle

from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.scopes import Scope
from genreweb.version import VERSION
from library.models import Playlist, Track
from library.tests.subsonic import Player

pytestmark = pytest.mark.django_db
NAMESPACE = "{http://subsonic.org/restapi}"
ASKED = {"v": "1.16.1", "c": "test", "f": "json"}


def told(response: Any) -> dict[str, Any]:
    return dict(response.json()["subsonic-response"])


def test_the_envelope_as_json_and_as_xml(owner: User) -> None:
    player = Player(owner)
    head = {
        "status": "ok",
        "version": "1.16.1",
        "type": "genreweb",
        "serverVersion": VERSION,
        "openSubsonic": True,
    }
    assert player("ping.view") == head
    response: Any = player.raw("ping", f="xml")
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert "no-store" in response.headers["Cache-Control"]
    root = ElementTree.fromstring(response.content)
    assert root.tag == f"{NAMESPACE}subsonic-response"
    assert root.attrib == {**head, "openSubsonic": "true"}
    # XML is what a player gets that does not say what it wants.
    asked = {name: value for name, value in player.parameters().items() if name != "f"}
    assert player.client.get("/rest/ping", asked).content == response.content


def test_objects_lists_and_texts_in_xml(owner: User, done_track: Callable[..., Track]) -> None:
    done_track(owner, title="<&\"'>\U0001f3b7", artist="Ann", album="One", genre="blues")
    player = Player(owner)

    def root(method: str, **given: Any) -> ElementTree.Element:
        response: Any = player.raw(method, f="xml", **given)
        return ElementTree.fromstring(response.content)

    song = root("search3", query="").find(f"{NAMESPACE}searchResult3/{NAMESPACE}song")
    assert song is not None
    assert (song.get("title"), song.get("isDir")) == ("<&\"'>\U0001f3b7", "false")
    genre = root("getGenres").find(f"{NAMESPACE}genres/{NAMESPACE}genre")
    assert genre is not None
    assert (genre.text, genre.get("songCount")) == ("blues", "1")
    listed = root("getOpenSubsonicExtensions").findall(f"{NAMESPACE}openSubsonicExtensions")
    assert [each.get("name") for each in listed] == [
        *("apiKeyAuthentication", "formPost", "sonicSimilarity", "transcodeOffset", "transcoding")
    ]
    version = listed[0].find(f"{NAMESPACE}versions")
    assert version is not None
    assert version.text == "1"
    failed = root("getSong", id="none").find(f"{NAMESPACE}error")
    assert failed is not None
    assert failed.get("code") == "70"


def test_anybody_may_ask_for_the_extensions_and_for_nothing_else(client: Client) -> None:
    found = told(client.get("/rest/getOpenSubsonicExtensions.view?f=json"))["openSubsonicExtensions"]
    assert {"name": "sonicSimilarity", "versions": [1]} in found
    refused = told(client.get("/rest/ping", ASKED))["error"]
    assert refused["code"] == 10
    assert refused["helpUrl"].endswith("/account/")


def test_a_form_is_taken_without_a_cookie_or_a_csrf_token(owner: User, other: User) -> None:
    client = Client(enforce_csrf_checks=True)
    player = Player(owner)
    # Parts, as of files, are not read.
    parts: Any = client.post("/rest/tokenInfo.view?f=json", player.parameters())
    assert told(parts)["error"]["code"] == 10
    form = "&".join(f"{name}={value}" for name, value in player.parameters().items())
    response = client.post("/rest/tokenInfo.view", form, "application/x-www-form-urlencoded")
    assert told(response)["tokenInfo"] == {"username": owner.email}
    # Somebody's session counts for nothing.
    client.force_login(other)
    assert told(client.get("/rest/ping", ASKED))["error"]["code"] == 10
    assert client.put("/rest/ping").status_code == 405


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"v": ""}, 10),
        ({"c": ""}, 10),
        ({"v": "one"}, 0),
        ({"v": "0.9.0"}, 20),
        ({"v": "1.17.0"}, 30),
        ({"v": "2.0.0"}, 30),
    ],
)
def test_versions(owner: User, given: dict[str, str], code: int) -> None:
    assert Player(owner).error("ping", **given) == code


def test_older_players_are_served_and_pages_with_callbacks_are_not(owner: User) -> None:
    player = Player(owner)
    player("ping", v="1.8.0")
    response: Any = player.raw("ping", f="jsonp", callback="alert")
    assert b"alert" not in response.content
    assert ElementTree.fromstring(response.content).get("status") == "failed"
    unknown: Any = player.raw("getPodcasts")
    assert (unknown.status_code, told(unknown)["error"]["code"]) == (404, 0)


def test_a_token_is_the_key_or_stands_in_for_the_password(owner: User, other: User) -> None:
    secret = Player(owner).key
    known = Player()
    for password in (secret, f"enc:{secret.encode().hex()}", f"enc:{secret.encode().hex().upper()}"):
        assert known("tokenInfo", u="Owner@Example.org", p=password)["tokenInfo"] == {"username": owner.email}
    assert ApiToken.objects.get(user=owner).last_used is not None
    assert known.error("ping", u=other.email, p=secret) == 40
    assert known.error("ping", u=owner.email, p="wrong") == 40
    assert known.error("ping", u=owner.email, p="enc:xyz") == 0
    assert known.error("ping", u=owner.email) == 10
    assert known.error("ping", p=secret) == 10
    assert known.error("ping", u=owner.email, t="0" * 32, s="salt") == 41
    assert known.error("ping", apiKey=secret, u=owner.email) == 43
    assert known.error("ping", u=owner.email, p=secret, t="0" * 32, s="salt") == 43
    assert known.error("ping", apiKey=f"{secret}0") == 44
    assert known.error("ping", apiKey="") == 10


def test_a_password_of_the_account_is_no_password_here(owner: User) -> None:
    owner.set_password("correct horse battery")
    owner.save(update_fields=["password"])
    assert Player().error("ping", u=owner.email, p="correct horse battery") == 40


@pytest.mark.parametrize("spoil", ["expired", "closed", "revoked"])
def test_a_token_that_no_longer_works(owner: User, spoil: str) -> None:
    player = Player(owner)
    player("ping")
    if spoil == "expired":
        ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    elif spoil == "closed":
        User.objects.filter(pk=owner.pk).update(is_active=False)
    else:
        ApiToken.objects.all().delete()
    assert player.error("ping") == 44


def test_scopes(owner: User) -> None:
    reading, writing = Player(owner, scopes=[Scope.READ]), Player(owner, scopes=[Scope.UPLOAD])
    assert reading.error("createPlaylist", name="Mine") == 50
    assert not Playlist.objects.exists()
    assert writing.error("getArtists") == 50
    assert reading("getUser", username=owner.email)["user"]["playlistRole"] is False
    assert Player(owner)("getUser", username=owner.email)["user"]["playlistRole"] is True
    assert reading.error("getUser", username="other@example.org") == 50


def test_calls_are_counted_with_the_rest_of_the_api(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {**SimpleRateThrottle.THROTTLE_RATES, "user": "3/min", "anon": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    player = Player(owner)
    response: Any = player.raw("ping")
    assert response.headers["RateLimit"].startswith('"user";r=2;')
    bearer = {"Authorization": f"Bearer {player.key}"}
    assert player.client.get("/api/v1/me/", headers=bearer).status_code == 200
    player("ping")
    response = player.raw("ping")
    assert (response.status_code, told(response)["error"]["code"]) == (429, 0)
    assert int(response.headers["Retry-After"]) > 0
    # Who guesses is counted by address.
    guessing = Player()
    statuses = [guessing.raw("ping", apiKey=f"gw_{number}").status_code for number in range(3)]
    assert statuses == [200, 200, 429]


def test_pages_of_allowed_origins_may_ask(settings: Settings, owner: User) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://player.example.org"]
    player = Player(owner)
    for origin, allowed in (("https://player.example.org", True), ("https://evil.example.org", False)):
        response = player.raw("ping", headers={"Origin": origin})
        assert response.has_header("Access-Control-Allow-Origin") is allowed
