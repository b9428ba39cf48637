"""Bearer tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tokens import STAMP_EVERY, create_token

pytestmark = pytest.mark.django_db
URL = "/api/v1/me/"


@pytest.fixture
def token(person: User) -> tuple[ApiToken, str]:
    return create_token(user=person, name="script")


def get(client: Client, authorization: str | bytes) -> Any:
    return client.get(URL, HTTP_AUTHORIZATION=authorization)


def test_lets_its_bearer_in(client: Client, person: User, token: tuple[ApiToken, str]) -> None:
    response = get(client, f"Bearer {token[1]}")
    assert response.status_code == 200
    assert response.json()["id"] == person.pk


def test_the_name_of_the_scheme_has_no_case(client: Client, token: tuple[ApiToken, str]) -> None:
    assert get(client, f"bearer {token[1]}").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda secret: "Bearer",
        lambda secret: "Bearer gw_0000",
        lambda secret: f"Bearer {secret}0",
        lambda secret: f"Bearer {secret[:-1]}",
        lambda secret: f"Bearer {secret} {secret}",
        lambda secret: "Bearer \u00fc\u00ff",
        lambda secret: f"Bearer {'x' * 5000}",
        lambda secret: f"Basic {secret}",
        lambda secret: "",
    ],
)
def test_refuses_anything_else_with_401_and_the_scheme(
    client: Client, token: tuple[ApiToken, str], spoil: Any
) -> None:
    response = get(client, spoil(token[1]))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["message"]
    assert ApiToken.objects.get().last_used is None


def test_the_digest_is_no_token(client: Client, token: tuple[ApiToken, str]) -> None:
    assert get(client, f"Bearer {token[0].digest}").status_code == 401


def test_an_expired_token_is_refused(client: Client, token: tuple[ApiToken, str]) -> None:
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert get(client, f"Bearer {token[1]}").status_code == 401
    ApiToken.objects.update(expiry=timezone.now() + timedelta(minutes=1))
    assert get(client, f"Bearer {token[1]}").status_code == 200


def test_a_closed_account_is_refused(client: Client, token: tuple[ApiToken, str]) -> None:
    User.objects.update(is_active=False)
    assert get(client, f"Bearer {token[1]}").status_code == 401


def test_notes_its_use_at_most_once_a_minute(client: Client, token: tuple[ApiToken, str]) -> None:
    get(client, f"Bearer {token[1]}")
    first = ApiToken.objects.get().last_used
    assert first is not None
    get(client, f"Bearer {token[1]}")
    assert ApiToken.objects.get().last_used == first
    ApiToken.objects.update(last_used=first - STAMP_EVERY)
    get(client, f"Bearer {token[1]}")
    latest = ApiToken.objects.get().last_used
    assert latest is not None
    assert latest > first


def test_costs_one_query_however_many_tokens_there_are(
    client: Client, person: User, token: tuple[ApiToken, str], django_assert_num_queries: Any
) -> None:
    for number in range(20):
        create_token(user=person, name=str(number))
    get(client, f"Bearer {token[1]}")
    # The token with its person; whether they are a curator.
    with django_assert_num_queries(5):
        get(client, f"Bearer {token[1]}")
