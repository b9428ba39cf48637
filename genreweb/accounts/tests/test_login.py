"""Signing in and out."""

from __future__ import annotations

import pytest
from allauth.core.internal.ratelimit import parse_rates
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from genreweb.accounts.models import User
from genreweb.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/accounts/login/"


def sign_in(client: Client, email: str, password: str = PASSWORD, **headers: str) -> int:
    return client.post(URL, {"login": email, "password": password}, headers=headers).status_code


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@Example.org", " ada@example.org "])
def test_signs_in_whatever_the_case_of_the_address(client: Client, person: User, email: str) -> None:
    assert sign_in(client, email) == 302
    assert client.session["_auth_user_id"] == str(person.pk)


def test_someone_made_without_a_row_of_allauth_signs_in_too(client: Client) -> None:
    user = User.objects.create_user("bare@example.org", PASSWORD)
    assert sign_in(client, user.email) == 302


def test_wrong_password_and_unknown_address_get_the_same_answer(client: Client, person: User) -> None:
    wrong = client.post(URL, {"login": person.email, "password": "wrong"})
    unknown = client.post(URL, {"login": "nobody@example.org", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 200
    errors = [list(response.context["form"].non_field_errors()) for response in (wrong, unknown)]
    assert errors[0] == errors[1]
    assert errors[0]
    assert "_auth_user_id" not in client.session


def test_a_closed_account_is_told_so_only_with_the_right_password(client: Client, person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert (
        client.post(URL, {"login": person.email, "password": PASSWORD})["Location"] == "/accounts/inactive/"
    )
    assert "closed" in client.get("/accounts/inactive/").content.decode()
    assert sign_in(client, person.email, "wrong") == 200


def test_five_wrong_passwords_close_an_account_for_a_while_to_that_address(
    client: Client, person: User, other: User
) -> None:
    for _ in range(5):
        assert sign_in(client, person.email, "wrong") == 200
    response = client.post(URL, {"login": person.email, "password": PASSWORD})
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert "Too many attempts" in response.content.decode()
    # Another name of the site gives no fresh attempts.
    assert sign_in(Client(SERVER_NAME="x.localhost"), person.email) == 429
    # Others are none the worse, nor is the person anywhere else.
    assert sign_in(client, other.email) == 302
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7"), person.email) == 302


def test_guesses_from_many_addresses_close_an_account_for_a_while_to_all(
    client: Client, person: User, other: User, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_of_account": "6/h/key"}
    guessers = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(7)]
    assert [sign_in(guesser, person.email, "wrong") for guesser in guessers] == [200] * 6 + [429]
    assert sign_in(client, person.email) == 429
    assert sign_in(client, other.email) == 302


def test_right_passwords_are_not_counted(client: Client, person: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_of_account": "2/h/key"}
    assert sign_in(client, person.email, "wrong") == 200
    for _ in range(4):
        assert sign_in(client, person.email) == 302
        client.logout()


def test_one_address_alone_cannot_close_an_account_to_all(settings: Settings) -> None:
    def per_hour(limit: str) -> float:
        (rate,) = [rate for rate in parse_rates(settings.ACCOUNT_RATE_LIMITS[limit]) if rate.per == "key"]
        return float(rate.amount / rate.duration * 3600)

    assert per_hour("login_failed") < per_hour("login_failed_of_account")


def test_many_accounts_from_one_address_are_stopped_others_are_not(
    client: Client, person: User, settings: Settings
) -> None:
    for number in range(10):
        assert sign_in(client, f"guess{number}@example.org", "wrong") == 200
    assert sign_in(client, "guess10@example.org", "wrong") == 429
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7"), person.email) == 302


def test_a_forged_forwarding_header_gives_no_fresh_attempts(client: Client) -> None:
    statuses = [
        sign_in(client, f"guess{n}@example.org", "wrong", **{"X-Forwarded-For": f"192.0.2.{n}"})
        for n in range(11)
    ]
    assert statuses[-1] == 429


@pytest.mark.usefixtures("no_redis")
def test_without_redis_people_get_in_and_guessing_stays_slow(
    client: Client, person: User, caplog: pytest.LogCaptureFixture
) -> None:
    assert sign_in(client, person.email, PASSWORD) == 302
    assert "_auth_user_id" in client.session
    assert "Redis is away" in caplog.text
    guesser = Client(REMOTE_ADDR="192.0.2.9")
    assert [sign_in(guesser, person.email, "wrong") for _ in range(6)] == [200] * 5 + [429]


def test_who_signs_out_while_redis_is_away_is_out_when_it_is_back(
    signed_in: Client, request: pytest.FixtureRequest, settings: Settings
) -> None:
    assert signed_in.get("/account/").status_code == 200
    caches = settings.CACHES
    request.getfixturevalue("no_redis")
    session = signed_in.cookies["sessionid"].value
    signed_in.post("/accounts/logout/")
    settings.CACHES = caches
    signed_in.cookies["sessionid"] = session
    assert signed_in.get("/account/").status_code == 302


@pytest.mark.usefixtures("letters")
def test_who_signed_up_before_there_were_letters_is_sent_one(
    client: Client, person: User, mailoutbox: list[EmailMessage]
) -> None:
    response = client.post(URL, {"login": person.email, "password": PASSWORD})
    assert response["Location"] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session
    [message] = mailoutbox
    assert message.to == [person.email]
    link = next(word for word in str(message.body).split() if "/confirm-email/" in word)
    client.post(link.removeprefix("http://testserver"))
    client.logout()
    assert client.post(URL, {"login": person.email, "password": PASSWORD})["Location"] == "/"


@pytest.mark.usefixtures("letters")
def test_who_has_no_row_of_allauth_is_sent_a_letter_too(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    User.objects.create_user("bare@example.org", PASSWORD)
    sign_in(client, "bare@example.org")
    assert [message.to for message in mailoutbox] == [["bare@example.org"]]


@pytest.mark.usefixtures("letters")
def test_an_administrator_made_on_the_server_needs_no_letter(client: Client, administrator: User) -> None:
    assert client.post(URL, {"login": administrator.email, "password": PASSWORD})["Location"] == "/"


@pytest.mark.usefixtures("letters")
def test_a_mail_server_that_is_away_is_told_as_that(client: Client, person: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    response = client.post(URL, {"login": person.email, "password": PASSWORD})
    assert response.status_code == 503
    assert "could not be sent" in response.content.decode()


def test_signing_out_asks_on_get_and_happens_on_post(signed_in: Client) -> None:
    assert "Sign out?" in signed_in.get("/accounts/logout/").content.decode()
    assert "_auth_user_id" in signed_in.session
    assert signed_in.post("/accounts/logout/").status_code == 302
    assert "_auth_user_id" not in signed_in.session


def test_the_administration_signs_people_in_by_the_same_counted_page(client: Client) -> None:
    response = client.get("/admin/login/?next=/admin/")
    assert response.status_code == 302
    assert response["Location"].startswith(URL)
    assert client.post("/admin/login/", {"username": "a@b.org", "password": "x"}).status_code == 302


def test_the_administration_refuses_who_is_no_staff(signed_in: Client) -> None:
    assert signed_in.get("/admin/login/").status_code == 403
