"""One name for an address on every page that asks for one, django-allauth's forms included."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from genreweb.accounts.models import User

pytestmark = pytest.mark.django_db

ENTRANCES = ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
NAMES = {"en": "E-mail address", "ko": "이메일 주소"}


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("path", ENTRANCES)
def test_the_pages_before_signing_in_say_what_the_others_say(
    client: Client, path: str, language: str
) -> None:
    html = client.get(path, headers={"Accept-Language": language}).content.decode()
    labels = re.findall(r"<label[^>]*>([^<]*)</label>", html)
    assert labels[0] == NAMES[language]
    assert not re.search(r"\bEmail\b|>\s*이메일\s*<", html)


def test_a_refused_sign_in_says_it_too(client: Client, person: User) -> None:
    answer = client.post("/accounts/login/", {"login": person.email, "password": "wrong-words-9"})
    assert "The e-mail address or the password is wrong." in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_change_to_the_present_address_is_refused_in_the_same_words(
    signed_in: Client, person: User, letters: None
) -> None:
    html = signed_in.post("/accounts/email/", {"email": person.email, "action_add": ""}).content.decode()
    assert "This e-mail address is that of your account already." in html
    person.refresh_from_db()
    assert person.email == "ada@example.org"
