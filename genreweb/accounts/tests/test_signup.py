"""Making an account."""

from __future__ import annotations

import re
import threading

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from pytest_django import Settings

from genreweb.accounts.models import User
from genreweb.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/accounts/signup/"
FORM = {"email": "New@Example.org", "password1": PASSWORD, "password2": PASSWORD}


def test_makes_an_account_and_signs_in_at_once(client: Client) -> None:
    response = client.post(URL, FORM)
    assert response.status_code == 302
    assert response["Location"] == "/"
    user = User.objects.get(email="new@example.org")
    assert user.check_password(PASSWORD)
    assert client.session["_auth_user_id"] == str(user.pk)
    assert EmailAddress.objects.get(user=user).primary


def test_goes_on_to_where_one_wanted_to_go_but_never_to_another_site(client: Client) -> None:
    assert client.post(URL, {**FORM, "next": "/record/"})["Location"] == "/record/"
    client.logout()
    second = {**FORM, "email": "second@example.org", "next": "https://evil.example/"}
    assert client.post(URL, second)["Location"] == "/"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "not an address"}, "email"),
        ({"password1": "12345678", "password2": "12345678"}, "password1"),
        ({"password2": "something else entirely"}, "password2"),
        ({"password1": "", "password2": ""}, "password1"),
    ],
)
def test_refuses_a_bad_form_and_ties_the_fault_to_its_field(
    client: Client, change: dict[str, str], field: str
) -> None:
    response = client.post(URL, {**FORM, **change})
    assert not User.objects.exists()
    page = response.content.decode()
    assert f'id="id_{field}_error"' in page
    control = re.search(rf'<input[^>]*name="{field}"[^>]*>', page)
    assert control is not None
    assert f"id_{field}_error" in control.group()
    assert 'aria-invalid="true"' in control.group()


def test_all_that_is_wrong_is_told_at_once(client: Client) -> None:
    page = client.get(URL).content.decode()
    assert re.search(r'<form[^>]*action="/accounts/signup/"[^>]* novalidate>', page)
    wrong = {"email": "not an address", "password1": "1234", "password2": "5678"}
    for given in (wrong, dict.fromkeys(wrong, "")):
        html = client.post(URL, given).content.decode()
        assert all(f'id="id_{field}_error"' in html for field in wrong)
    assert not User.objects.exists()


def test_every_field_has_a_label_and_says_what_a_browser_may_fill_in(client: Client) -> None:
    page = client.get(URL).content.decode()
    for field, autocomplete in (
        ("email", "email"),
        ("password1", "new-password"),
        ("password2", "new-password"),
    ):
        assert f'<label class="form-label" for="id_{field}">' in page
        control = re.search(rf'<input[^>]*name="{field}"[^>]*>', page)
        assert control is not None
        assert f'autocomplete="{autocomplete}"' in control.group()
        assert "placeholder" not in control.group()


def test_without_letters_a_taken_address_is_refused_whatever_its_case(client: Client, person: User) -> None:
    response = client.post(URL, {**FORM, "email": person.email.upper()})
    assert response.status_code == 200
    assert User.objects.count() == 1
    assert "_auth_user_id" not in client.session


@pytest.mark.usefixtures("letters")
def test_with_letters_a_taken_address_looks_like_a_new_one(
    client: Client, person: User, mailoutbox: list[EmailMessage]
) -> None:
    taken = client.post(URL, {**FORM, "email": person.email})
    free = Client().post(URL, FORM)
    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    assert taken["Location"] == "/accounts/confirm-email/"
    assert {message.to[0] for message in mailoutbox} == {person.email, "new@example.org"}
    assert User.objects.filter(email=person.email).count() == 1


@pytest.mark.usefixtures("letters")
def test_with_letters_the_address_is_confirmed_before_one_is_in(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    response = client.post(URL, FORM, follow=True)
    assert "Look into your mail" in response.content.decode()
    assert "_auth_user_id" not in client.session
    [message] = mailoutbox
    assert message.subject.startswith("[Genreweb] ")
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+)", str(message.body))
    assert link is not None
    assert client.get(link[1]).status_code == 200
    assert not EmailAddress.objects.get().verified
    client.post(link[1])
    assert EmailAddress.objects.get().verified
    assert client.session["_auth_user_id"] == str(User.objects.get().pk)


def test_closed_sign_up_says_so_and_takes_nobody(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    assert "Sign-up is closed" in client.get(URL).content.decode()
    assert "Sign-up is closed" in client.post(URL, FORM).content.decode()
    assert not User.objects.exists()
    assert URL not in client.get("/accounts/login/").content.decode()


def test_too_many_sign_ups_from_one_address_are_refused(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "signup": "2/m/ip"}
    for number in range(2):
        Client().post(URL, {**FORM, "email": f"p{number}@example.org"})
    response = client.post(URL, {**FORM, "email": "p2@example.org"})
    assert response.status_code == 429
    assert response["Retry-After"]
    assert User.objects.count() == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_form_sent_twice_at_once_makes_one_account_and_no_error(settings: Settings) -> None:
    # As slow as in earnest: between the look whether an address is free and the row lies the hashing.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    barrier = threading.Barrier(4)
    statuses: list[int] = []

    def send() -> None:
        client = Client(raise_request_exception=False)
        barrier.wait(10)
        statuses.append(client.post(URL, FORM).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 302}
    assert 302 in statuses
    assert User.objects.count() == 1
