"""The account page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tests.conftest import browser

pytestmark = pytest.mark.django_db
URL = "/account/"


def test_is_for_people_who_are_signed_in(client: Client) -> None:
    assert client.get(URL)["Location"] == "/accounts/login/?next=/account/"


def test_shows_what_is_known_and_where_to_change_it(signed_in: Client, person: User) -> None:
    response = signed_in.get(URL)
    page = response.content.decode()
    for expected in (
        person.email,
        "/accounts/email/",
        "/accounts/password/change/",
        "/i18n/setlang/",
        "/account/export/",
        "/account/delete/",
    ):
        assert expected in page
    assert "no-store" in response["Cache-Control"]


def test_takes_another_name_to_show(signed_in: Client, person: User) -> None:
    assert signed_in.post(URL, {"display_name": "  Ada   Lovelace "})["Location"] == URL
    person.refresh_from_db()
    assert person.display_name == "Ada Lovelace"


def test_refuses_a_name_too_long_and_changes_nothing(signed_in: Client, person: User) -> None:
    response = signed_in.post(URL, {"display_name": "a" * 81})
    assert response.status_code == 422
    assert 'id="id_display_name_error"' in response.content.decode()
    person.refresh_from_db()
    assert person.display_name == ""


def test_takes_nothing_but_the_name(signed_in: Client, person: User) -> None:
    signed_in.post(URL, {"display_name": "Ada", "is_staff": "on", "email": "x@example.org"})
    person.refresh_from_db()
    assert (person.is_staff, person.email) == (False, "ada@example.org")


def test_shows_only_ones_own_tokens(signed_in: Client, person: User, other: User) -> None:
    ApiToken.objects.create(user=person, name="mine")
    ApiToken.objects.create(user=other, name="theirs")
    page = signed_in.get(URL).content.decode()
    assert "mine" in page
    assert "theirs" not in page


def test_asks_the_database_as_often_for_many_tokens_as_for_one(
    person: User, django_assert_num_queries: Any
) -> None:
    client = browser(person)
    ApiToken.objects.create(user=person, name="first")
    client.get(URL)
    # The session, its person, their tokens, whether they curate, their news and the classifier in the footer.
    with django_assert_num_queries(10):
        client.get(URL)
    for number in range(20):
        ApiToken.objects.create(user=person, name=f"token {number}")
    with django_assert_num_queries(10):
        assert client.get(URL).content.decode().count("token ") >= 20


@pytest.mark.usefixtures("letters")
def test_warns_while_the_address_is_not_confirmed(signed_in: Client) -> None:
    assert "is not confirmed" in signed_in.get(URL).content.decode()


def test_does_not_warn_where_no_letter_could_arrive(signed_in: Client) -> None:
    assert "is not confirmed" not in signed_in.get(URL).content.decode()


def test_the_language_is_changed_from_there(signed_in: Client) -> None:
    response = signed_in.post("/i18n/setlang/", {"language": "ko", "next": URL})
    assert response["Location"] == URL
    assert '<html lang="ko"' in signed_in.get(URL).content.decode()
