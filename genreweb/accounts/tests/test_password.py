"""Changing a password, and getting a new one when it is forgotten."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from genreweb.accounts.models import User
from genreweb.accounts.tests.conftest import PASSWORD, browser

pytestmark = pytest.mark.django_db
CHANGE = "/accounts/password/change/"
RESET = "/accounts/password/reset/"
NEW = "harmonies at high noon"


def test_changing_keeps_this_browser_and_signs_out_the_others(signed_in: Client, person: User) -> None:
    elsewhere = browser(person)
    response = signed_in.post(CHANGE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert response["Location"] == "/account/"
    person.refresh_from_db()
    assert person.check_password(NEW)
    assert signed_in.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "form",
    [
        {"oldpassword": "wrong", "password1": NEW, "password2": NEW},
        {"oldpassword": PASSWORD, "password1": "short", "password2": "short"},
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW + "!"},
    ],
)
def test_a_bad_change_changes_nothing(signed_in: Client, person: User, form: dict[str, str]) -> None:
    assert signed_in.post(CHANGE, form).status_code == 200
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_changing_is_for_people_who_are_signed_in(client: Client) -> None:
    assert client.get(CHANGE)["Location"].startswith("/accounts/login/")


def _link(mailoutbox: list[EmailMessage]) -> str:
    return next(word for word in str(mailoutbox[-1].body).split() if "/password/reset/key/" in word)


def test_a_forgotten_password_is_replaced_by_way_of_a_letter(
    client: Client, person: User, mailoutbox: list[EmailMessage]
) -> None:
    assert client.post(RESET, {"email": person.email}).status_code == 302
    link = _link(mailoutbox).removeprefix("http://testserver")
    page = client.get(link, follow=True)
    form_url = page.redirect_chain[-1][0]
    assert client.post(form_url, {"password1": NEW, "password2": NEW}).status_code == 302
    person.refresh_from_db()
    assert person.check_password(NEW)
    assert client.session["_auth_user_id"] == str(person.pk)
    # The link is spent.
    assert "no longer works" in Client().get(link, follow=True).content.decode()


def test_a_forged_link_changes_nothing(client: Client, person: User) -> None:
    response = client.get("/accounts/password/reset/key/1-abcdef-0123456789/", follow=True)
    assert "no longer works" in response.content.decode()


def test_asking_tells_nobody_whether_an_account_exists(client: Client, person: User) -> None:
    known = client.post(RESET, {"email": person.email})
    unknown = client.post(RESET, {"email": "nobody@example.org"})
    assert known.status_code == unknown.status_code == 302
    assert known["Location"] == unknown["Location"]


def test_asking_too_often_is_stopped(client: Client, person: User, mailoutbox: list[EmailMessage]) -> None:
    statuses = [client.post(RESET, {"email": person.email}).status_code for _ in range(6)]
    assert statuses == [302] * 5 + [429]
    assert len(mailoutbox) == 5


def test_links_lead_to_the_site_whatever_name_it_was_asked_under(
    client: Client, person: User, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.SITE_URL = "https://music.example"
    settings.ALLOWED_HOSTS = ["*"]
    client.post(RESET, {"email": person.email}, headers={"host": "evil.example"})
    assert _link(mailoutbox).startswith("https://music.example/accounts/password/reset/key/")


def test_without_letters_the_page_says_whom_to_ask(client: Client, settings: Settings) -> None:
    assert "cannot send e-mail" in client.get(RESET).content.decode()
    settings.MAIL_IS_REAL = True
    assert "cannot send e-mail" not in client.get(RESET).content.decode()
