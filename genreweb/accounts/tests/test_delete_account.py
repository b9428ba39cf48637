"""Leaving."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from genreweb.accounts import personal_data, tokens
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.personal_data import Content
from genreweb.accounts.tests.conftest import PASSWORD, browser

pytestmark = pytest.mark.django_db
URL = "/account/delete/"


class Diary:
    """A part of the site that keeps something on people."""

    def __init__(self) -> None:
        self.kept = {"ada@example.org", "bo@example.org"}

    def export(self, user: User) -> Iterator[tuple[str, Content]]:
        yield from ()

    def losses(self, user: User) -> list[str]:
        return ["a diary"]

    def delete(self, user: User) -> None:
        self.kept.remove(user.email)


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    monkeypatch.setattr(personal_data, "_holders", [])
    diary = Diary()
    personal_data.register(diary)
    return diary


def test_says_what_is_lost_and_deletes_nothing_yet(signed_in: Client, diary: Diary) -> None:
    page = signed_in.get(URL).content.decode()
    assert "a diary" in page
    assert User.objects.exists()


def test_deletes_everything_of_this_person_and_of_nobody_else(
    signed_in: Client, person: User, other: User, diary: Diary
) -> None:
    tokens.create_token(user=person, name="mine")
    tokens.create_token(user=other, name="theirs")
    elsewhere = browser(person)
    assert signed_in.post(URL, {"password": PASSWORD})["Location"] == "/"
    assert list(User.objects.all()) == [other]
    assert [token.name for token in ApiToken.objects.all()] == ["theirs"]
    assert [row.user for row in EmailAddress.objects.all()] == [other]
    assert diary.kept == {"bo@example.org"}
    for client in (signed_in, elsewhere):
        assert client.get("/account/")["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("password", ["", "wrong"])
def test_without_the_password_nothing_happens(signed_in: Client, diary: Diary, password: str) -> None:
    assert signed_in.post(URL, {"password": password}).status_code == 422
    assert User.objects.count() == 1
    assert "ada@example.org" in diary.kept


def test_the_password_cannot_be_guessed_there(signed_in: Client, diary: Diary) -> None:
    for _ in range(5):
        signed_in.post(URL, {"password": "wrong"})
    assert signed_in.post(URL, {"password": PASSWORD}).status_code == 429
    assert User.objects.exists()


def test_what_cannot_be_deleted_whole_is_not_deleted_by_half(
    person: User, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary.kept.clear()
    client = browser(person)
    client.raise_request_exception = False
    assert client.post(URL, {"password": PASSWORD}).status_code == 500
    assert User.objects.filter(pk=person.pk).exists()


def test_the_only_administrator_cannot_leave(administrator: User, diary: Diary) -> None:
    diary.kept.add(administrator.email)
    client = browser(administrator)
    assert "only administrator" in client.get(URL).content.decode()
    assert client.post(URL, {"password": PASSWORD}).status_code == 409
    assert User.objects.filter(pk=administrator.pk).exists()
    User.objects.create_superuser("second@example.org", PASSWORD)
    assert client.post(URL, {"password": PASSWORD}).status_code == 302
    assert not User.objects.filter(pk=administrator.pk).exists()


def test_is_for_people_who_are_signed_in(client: Client, person: User) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")
    assert client.post(URL, {"password": PASSWORD})["Location"].startswith("/accounts/login/")
    assert User.objects.exists()
