"""Changing the e-mail address."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client

from genreweb.accounts.addresses import AddressTakenError, change_address, ensure_address
from genreweb.accounts.models import User
from genreweb.accounts.tests.conftest import PASSWORD, browser

pytestmark = pytest.mark.django_db
URL = "/accounts/email/"
NEW = "ada@elsewhere.example"


def change(client: Client, email: str) -> None:
    """Name another address, and show the password when asked to."""
    response = client.post(URL, {"action_add": "", "email": email})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    client.post(response["Location"], {"password": PASSWORD, "next": URL})


def rows(user: User) -> list[tuple[str, bool, bool]]:
    return list(
        EmailAddress.objects.filter(user=user).order_by("pk").values_list("email", "primary", "verified")
    )


def test_asks_for_the_password_first(signed_in: Client, person: User) -> None:
    response = signed_in.post(URL, {"action_add": "", "email": NEW})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    refused = signed_in.post(response["Location"], {"password": "wrong", "next": URL})
    assert refused.status_code == 200
    person.refresh_from_db()
    assert person.email == "ada@example.org"


def test_without_letters_the_change_counts_at_once(signed_in: Client, person: User) -> None:
    change(signed_in, NEW.upper())
    person.refresh_from_db()
    assert person.email == NEW
    assert rows(person) == [(NEW, True, False)]
    assert Client().post("/accounts/login/", {"login": NEW, "password": PASSWORD}).status_code == 302


def test_without_letters_somebody_elses_address_is_refused(
    signed_in: Client, person: User, other: User
) -> None:
    response = signed_in.post(URL, {"action_add": "", "email": other.email.upper()})
    assert 'id="id_email_error"' in response.content.decode()
    person.refresh_from_db()
    assert person.email == "ada@example.org"
    assert rows(person) == [("ada@example.org", True, False)]


def test_the_row_decides_where_two_want_the_same_address_at_once(person: User, other: User) -> None:
    with pytest.raises(AddressTakenError):
        change_address(user=person, email=other.email)
    assert person.email == "ada@example.org"
    assert rows(person) == [("ada@example.org", True, False)]


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("confirmed", [True, False])
def test_with_letters_the_change_counts_once_it_is_confirmed(
    person: User, mailoutbox: list[EmailMessage], confirmed: bool
) -> None:
    ensure_address(user=person, verified=confirmed)
    client = browser(person)
    change(client, NEW)
    person.refresh_from_db()
    assert person.email == "ada@example.org"
    assert rows(person) == [("ada@example.org", True, confirmed), (NEW, False, False)]
    assert NEW in client.get(URL).content.decode()
    [message] = mailoutbox
    assert message.to == [NEW]
    link = next(word for word in str(message.body).split() if "/confirm-email/" in word)
    client.post(link.removeprefix("http://testserver"))
    person.refresh_from_db()
    assert person.email == NEW
    assert rows(person) == [(NEW, True, True)]


@pytest.mark.usefixtures("letters")
def test_a_pending_change_can_be_given_up(person: User) -> None:
    ensure_address(user=person, verified=True)
    client = browser(person)
    change(client, NEW)
    client.post(URL, {"action_remove": "", "email": NEW})
    assert rows(person) == [("ada@example.org", True, True)]


@pytest.mark.usefixtures("letters")
def test_another_proposal_takes_the_place_of_the_first(person: User) -> None:
    ensure_address(user=person, verified=True)
    client = browser(person)
    change(client, NEW)
    client.post(URL, {"action_add": "", "email": "third@example.org"})
    assert [row[0] for row in rows(person)] == ["ada@example.org", "third@example.org"]


@pytest.mark.usefixtures("letters")
def test_nobody_can_take_an_address_that_another_account_uses_unconfirmed(
    person: User, other: User, mailoutbox: list[EmailMessage]
) -> None:
    ensure_address(user=person, verified=True)
    client = browser(person)
    change(client, other.email)
    link = next(word for word in str(mailoutbox[0].body).split() if "/confirm-email/" in word)
    response = client.post(link.removeprefix("http://testserver"), follow=True)
    assert response.status_code == 200
    person.refresh_from_db()
    other.refresh_from_db()
    assert (person.email, other.email) == ("ada@example.org", "bo@example.org")


def test_is_for_people_who_are_signed_in(client: Client) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_an_expired_or_forged_link_says_what_to_do(client: Client) -> None:
    response = client.get("/accounts/confirm-email/forged:link/")
    assert "no longer works" in response.content.decode()
