"""Getting, listing and revoking tokens by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from genreweb.accounts import tokens
from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/api/v1/tokens/"


@pytest.fixture
def program() -> APIClient:
    return APIClient()


def ask(program: APIClient, email: str, password: str = PASSWORD, **more: Any) -> Any:
    return program.post(URL, {"email": email, "password": password, **more}, format="json")


def bearer(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.create_token(user=user, name='test')[1]}")
    return client


def test_gives_a_token_that_works(program: APIClient, person: User) -> None:
    response = ask(program, person.email.upper(), name="laptop")
    assert response.status_code == 201
    made = response.json()
    token = ApiToken.objects.get(user=person)
    assert set(made) == {"token", "id", "name", "scopes", "created", "last_used", "expires"}
    assert (made["id"], made["name"]) == (token.token_key, "laptop")
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {made['token']}")
    assert program.get("/api/v1/me/").json()["email"] == person.email


def test_takes_a_form_too_and_needs_no_name(program: APIClient, person: User) -> None:
    response = program.post(URL, {"email": person.email, "password": PASSWORD}, format="multipart")
    assert response.status_code == 201
    assert response.json()["name"] == ""


def test_minds_no_old_token_that_comes_along(program: APIClient, person: User) -> None:
    program.credentials(HTTP_AUTHORIZATION="Bearer gw_revoked")
    assert ask(program, person.email).status_code == 201


def test_wrong_password_and_unknown_address_get_the_same_answer(program: APIClient, person: User) -> None:
    wrong = ask(program, person.email, "wrong")
    unknown = ask(program, "nobody@example.org", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"]["code"] == "wrong_credentials"
    assert wrong["WWW-Authenticate"] == "Bearer"
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "email"),
        ({"email": "ada@example.org"}, "password"),
        ({"email": "ada", "password": PASSWORD}, "email"),
        ({"email": "ada@example.org", "password": PASSWORD, "name": "n" * 81}, "name"),
    ],
)
def test_names_the_field_at_fault(program: APIClient, person: User, body: dict[str, str], field: str) -> None:
    response = program.post(URL, body, format="json")
    assert response.status_code == 400
    assert field in response.json()["error"]["fields"]
    assert not ApiToken.objects.exists()


def test_five_wrong_passwords_close_an_account_for_a_while_on_page_and_api(
    program: APIClient, person: User, client: Client
) -> None:
    for _ in range(5):
        assert ask(program, person.email, "wrong").status_code == 401
    response = ask(program, person.email)
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert response.json()["error"]["code"] == "throttled"
    assert client.post("/accounts/login/", {"login": person.email, "password": PASSWORD}).status_code == 429
    assert not ApiToken.objects.exists()


def test_attempts_from_one_address_are_limited(program: APIClient, person: User) -> None:
    statuses = [ask(program, f"guess{number}@example.org", "wrong").status_code for number in range(11)]
    assert statuses == [401] * 10 + [429]
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.7")
    assert ask(elsewhere, person.email).status_code == 201


@pytest.mark.usefixtures("no_redis")
def test_without_redis_tokens_are_given_and_attempts_counted(program: APIClient, person: User) -> None:
    assert ask(program, person.email).status_code == 201
    statuses = [ask(program, f"guess{number}@example.org", "wrong").status_code for number in range(10)]
    assert statuses == [401] * 9 + [429]


def test_a_closed_account_gets_none(program: APIClient, person: User) -> None:
    User.objects.update(is_active=False)
    response = ask(program, person.email)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "account_inactive"
    assert ask(program, person.email, "wrong").status_code == 401
    assert not ApiToken.objects.exists()


@pytest.mark.usefixtures("letters")
def test_an_unconfirmed_address_gets_none(program: APIClient, person: User) -> None:
    response = ask(program, person.email)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "email_unverified"
    assert ask(program, person.email, "wrong").json()["error"]["code"] == "wrong_credentials"
    ensure_address(user=person, verified=True)
    assert ask(program, person.email).status_code == 201


def test_stops_at_a_limit(program: APIClient, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    assert ask(program, person.email).status_code == 201
    response = ask(program, person.email)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "too_many_tokens"
    assert ApiToken.objects.count() == 1


def test_lists_ones_own_without_secrets(person: User, other: User, settings: Settings) -> None:
    program = bearer(person)
    tokens.create_token(user=other, name="theirs")
    response = program.get(URL)
    assert response.status_code == 200
    [listed] = response.json()["results"]
    assert set(listed) == {"id", "name", "scopes", "created", "last_used", "expires"}
    assert listed["id"] == ApiToken.objects.get(user=person).token_key


def test_listing_costs_the_same_for_many(person: User, django_assert_num_queries: Any) -> None:
    program = bearer(person)
    program.get(URL)
    # The token; how many; the page.
    with django_assert_num_queries(3):
        program.get(URL)
    for number in range(15):
        tokens.create_token(user=person, name=str(number))
    with django_assert_num_queries(3):
        assert len(program.get(URL).json()["results"]) == 16


def test_revokes_ones_own(person: User) -> None:
    program = bearer(person)
    key = ApiToken.objects.get(user=person).token_key
    assert program.delete(f"{URL}{key}/").status_code == 204
    assert not ApiToken.objects.exists()
    assert program.get(URL).status_code == 401


def test_somebody_elses_token_is_not_there(person: User, other: User) -> None:
    theirs, _secret = tokens.create_token(user=other, name="theirs")
    assert bearer(person).delete(f"{URL}{theirs.token_key}/").status_code == 404
    assert ApiToken.objects.filter(pk=theirs.pk).exists()


def test_listing_and_revoking_need_a_token(program: APIClient, person: User) -> None:
    token, _secret = tokens.create_token(user=person, name="mine")
    for response in (program.get(URL), program.delete(f"{URL}{token.token_key}/")):
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
    assert ApiToken.objects.exists()


def test_a_page_may_revoke_only_with_its_csrf_token(person: User) -> None:
    token, _secret = tokens.create_token(user=person, name="mine")
    page = APIClient(enforce_csrf_checks=True)
    page.force_login(person)
    assert page.get(URL).status_code == 200
    assert page.delete(f"{URL}{token.token_key}/").status_code == 403
    assert ApiToken.objects.exists()
