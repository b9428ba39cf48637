"""Making and revoking API tokens on the account page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from genreweb.accounts import tokens
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.scopes import all_scopes
from genreweb.accounts.tests.conftest import browser

pytestmark = pytest.mark.django_db
URL = "/account/tokens/"


def test_shows_the_secret_once_and_the_secret_works(signed_in: Client, person: User) -> None:
    response = signed_in.post(URL, {"name": "my  script", "scopes": all_scopes()})
    assert response.status_code == 201
    secret = response.context["secret"]
    assert secret.startswith("gw_")
    assert f'value="{secret}"' in response.content.decode()
    token = ApiToken.objects.get(user=person)
    assert token.name == "my script"
    assert secret not in (token.digest, token.token_key)
    later = signed_in.get("/account/").content.decode()
    assert secret not in later
    assert token.token_key in later
    assert token.digest not in later
    me = Client().get("/api/v1/me/", headers={"authorization": f"Bearer {secret}"})
    assert me.json()["email"] == person.email


def test_a_token_of_few_scopes_and_days(signed_in: Client, person: User) -> None:
    made = signed_in.post(URL, {"name": "player", "scopes": ["upload", "read"], "days": "30"})
    token = ApiToken.objects.get(user=person)
    assert token.scopes == ["read", "upload"]
    assert token.expiry is not None
    assert 29 <= (token.expiry - token.created).days <= 30
    html = made.content.decode()
    assert "may only: Read, Upload" in html
    assert "works until" in html
    ApiToken.objects.update(expiry=token.created)
    assert "<strong>expired</strong>" in signed_in.get("/account/").content.decode()
    refused: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["read"], "days": "31"},
    ]
    for wrong in refused:
        assert signed_in.post(URL, {"name": "x", **wrong}).status_code == 422
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "n" * 81])
def test_refuses_a_name_that_says_nothing_or_too_much(signed_in: Client, name: str) -> None:
    assert signed_in.post(URL, {"name": name, "scopes": all_scopes()}).status_code == 422
    assert not ApiToken.objects.exists()


def test_stops_at_a_limit(signed_in: Client, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    for _ in range(2):
        assert signed_in.post(URL, {"name": "one", "scopes": all_scopes()}).status_code == 201
    response = signed_in.post(URL, {"name": "one more", "scopes": all_scopes()})
    assert response.status_code == 422
    assert "2 API tokens already" in response.content.decode()
    assert ApiToken.objects.count() == 2


def test_revoking_asks_first(signed_in: Client, person: User) -> None:
    token, secret = tokens.create_token(user=person, name="old")
    url = f"{URL}{token.token_key}/revoke/"
    assert "Revoke “old”?" in signed_in.get(url).content.decode()
    assert ApiToken.objects.exists()
    assert signed_in.post(url)["Location"] == "/account/"
    assert not ApiToken.objects.exists()
    refused = Client().get("/api/v1/me/", headers={"authorization": f"Bearer {secret}"})
    assert refused.status_code == 401


def test_somebody_elses_token_is_not_there(person: User, other: User) -> None:
    token, _secret = tokens.create_token(user=person, name="mine")
    url = f"{URL}{token.token_key}/revoke/"
    assert browser(other).get(url).status_code == 404
    assert browser(other).post(url).status_code == 404
    assert Client().post(url)["Location"].startswith("/accounts/login/")
    assert ApiToken.objects.exists()


def test_making_is_for_people_who_are_signed_in(client: Client) -> None:
    assert client.post(URL, {"name": "x", "scopes": all_scopes()})["Location"].startswith("/accounts/login/")
    assert not ApiToken.objects.exists()
