"""Taking one's data along."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from zipfile import ZipFile

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from genreweb.accounts import personal_data, tokens
from genreweb.accounts.models import User
from genreweb.accounts.personal_data import Content
from genreweb.accounts.tests.conftest import browser

pytestmark = pytest.mark.django_db
URL = "/account/export/"


def download(client: Client) -> ZipFile:
    response = client.post(URL)
    assert isinstance(response, StreamingHttpResponse)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"].startswith('attachment; filename="genreweb-')
    return ZipFile(io.BytesIO(response.getvalue()))


def test_gives_the_account_without_password_or_secrets(signed_in: Client, person: User, other: User) -> None:
    token, secret = tokens.create_token(user=person, name="my script")
    tokens.create_token(user=other, name="theirs")
    archive = download(signed_in)
    text = archive.read("account.json").decode()
    account = json.loads(text)
    assert account["email"] == person.email
    assert [(row["name"], row["token_key"]) for row in account["api_tokens"]] == [
        ("my script", token.token_key)
    ]
    assert account["email_addresses"] == [{"email": person.email, "verified": False, "primary": True}]
    for hidden in (person.password, secret, token.digest, other.email, "theirs"):
        assert hidden not in text


class Diary:
    """A part of the site that keeps something on people."""

    def export(self, user: User) -> Iterator[tuple[str, Content]]:
        yield "diary.txt", f"of {user.email}".encode()

    def losses(self, user: User) -> list[str]:
        return ["a diary"]

    def delete(self, user: User) -> None:
        """Nothing is kept."""


def test_asks_every_part_of_the_site(signed_in: Client, other: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_data, "_holders", [])
    personal_data.register(Diary())
    assert download(signed_in).read("diary.txt") == b"of ada@example.org"
    assert download(browser(other)).read("diary.txt") == b"of bo@example.org"


def test_the_library_is_asked() -> None:
    assert "library.personal_data" in {getattr(holder, "__name__", "") for holder in personal_data._holders}


def test_is_for_people_who_are_signed_in_and_not_for_links(client: Client, signed_in: Client) -> None:
    assert Client().post(URL)["Location"].startswith("/accounts/login/")
    assert signed_in.get(URL)["Location"] == "/account/"
