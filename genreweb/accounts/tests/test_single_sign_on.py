"""Signing in through an OpenID Connect provider that answers on a real socket."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from genreweb import checks
from genreweb.account_settings import oidc_providers
from genreweb.accounts import personal_data
from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import User
from genreweb.accounts.tests.conftest import PASSWORD, browser
from genreweb.accounts.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, running

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/oidc/sso/login/"
AGAIN = "/accounts/oidc/again/"


@pytest.fixture(scope="module")
def _server() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(_server: Provider, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Provider:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.OIDC_SERVER_URL, settings.OIDC_CLIENT_ID, settings.OIDC_NAME = _server.address, CLIENT_ID, "Club"
    settings.OIDC_SIGN_UP = True
    settings.SOCIALACCOUNT_PROVIDERS = oidc_providers(
        server_url=_server.address, client_id=CLIENT_ID, secret=CLIENT_SECRET, name="Club"
    )
    _server.fault = ""
    _server.person = dict(_PERSON)
    return _server


_PERSON = {"sub": "4711", "name": "Ada  of elsewhere", "email": "Ada@example.org", "email_verified": True}


def there_and_back(client: Client, *, query: str = "", url: str = LOGIN, **fields: str) -> Any:
    """Go to the provider and come back, as a browser does."""
    page = client.post(f"{url}{query}", fields)
    assert page.status_code == 200, page.content
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())
    assert found, page.content
    sent_back = requests.get(html.unescape(found.group(1)), allow_redirects=False, timeout=10)
    return client.get(sent_back.headers["Location"].removeprefix("http://testserver"))


def is_in(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_without_the_variables_nothing_of_it_is_there(client: Client, signed_in: Client) -> None:
    assert "/oidc/" not in client.get("/accounts/login/").content.decode()
    assert "3rdparty" not in signed_in.get("/account/").content.decode()
    for url in (LOGIN, f"{LOGIN}callback/", "/accounts/3rdparty/", "/accounts/3rdparty/login/cancelled/"):
        assert signed_in.get(url).status_code == 404
        assert client.post(url).status_code == 404


def test_a_stranger_gets_an_account_and_comes_back_to_it(client: Client, provider: Provider) -> None:
    assert "Sign in with Club" in client.get("/accounts/login/").content.decode()
    codes = provider.verified_codes
    assert there_and_back(client).status_code == 302
    user = User.objects.get()
    assert (user.email, user.display_name) == ("ada@example.org", "Ada of elsewhere")
    assert not user.has_usable_password()
    assert EmailAddress.objects.get(user=user).verified
    assert is_in(client) == str(user.pk)
    assert provider.verified_codes == codes + 1
    again = Client()
    there_and_back(again)
    assert is_in(again) == str(user.pk)
    assert User.objects.count() == 1
    assert again.get("/accounts/oidc/another/login/").status_code == 404


def test_a_closed_site_stays_closed(client: Client, provider: Provider, settings: Settings) -> None:
    settings.OIDC_SIGN_UP = False
    assert "Sign-up is closed" in there_and_back(client).content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("here", "there", "linked"),
    [
        (True, True, True),
        (True, "true", True),
        (True, False, False),
        (True, "false", False),
        (False, True, False),
        (False, False, False),
    ],
)
def test_accounts_are_linked_only_where_both_confirmed_the_address(
    client: Client, provider: Provider, person: User, *, here: bool, there: object, linked: bool
) -> None:
    ensure_address(user=person, verified=here)
    provider.person["email_verified"] = there
    page = there_and_back(client)
    person.refresh_from_db()
    # Nobody's password is taken away, and nobody gets another account.
    assert person.check_password(PASSWORD)
    assert User.objects.count() == 1
    assert SocialAccount.objects.filter(user=person).exists() is linked
    if linked:
        assert is_in(client) == str(person.pk)
    else:
        assert page.status_code == 409
        assert "There is an account with the address" in page.content.decode()
        assert is_in(client) is None


def test_with_letters_an_unconfirmed_address_gives_nothing_away(
    client: Client, provider: Provider, person: User, letters: None
) -> None:
    provider.person["email_verified"] = False
    page = there_and_back(client)
    assert person.email not in page.content.decode()
    assert is_in(client) is None
    assert User.objects.count() == 1


@pytest.mark.slow
def test_somebody_connects_and_disconnects(provider: Provider, person: User, other: User) -> None:
    client = browser(person)
    provider.person["email"] = "somewhere@else.example"
    assert there_and_back(client, query="?process=connect")["Location"].startswith(
        "/accounts/reauthenticate/"
    )
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    there_and_back(client, query="?process=connect")
    account = SocialAccount.objects.get(user=person)
    page = client.get("/accounts/3rdparty/").content.decode()
    assert "somewhere@else.example" in page
    exported = dict(personal_data.export(person))["account.json"]
    assert isinstance(exported, bytes)
    assert json.loads(exported)["single_sign_on"][0]["uid"] == "4711"
    # The same account elsewhere cannot be two people's.
    second = browser(other)
    second.post("/accounts/reauthenticate/", {"password": PASSWORD})
    there_and_back(second, query="?process=connect")
    assert not SocialAccount.objects.filter(user=other).exists()
    second.post("/accounts/3rdparty/", {"account": account.pk})
    assert SocialAccount.objects.filter(user=person).exists()
    client.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()


def test_the_last_way_in_is_not_taken_away(client: Client, provider: Provider) -> None:
    there_and_back(client)
    page = client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert page.status_code == 200
    assert SocialAccount.objects.exists()
    assert "Choose a password" in client.get("/account/").content.decode()


def test_the_second_factor_is_asked_for_as_well(client: Client, provider: Provider, person: User) -> None:
    ensure_address(user=person, verified=True)
    TOTP.activate(person, generate_totp_secret())
    assert there_and_back(client)["Location"] == "/accounts/2fa/authenticate/"
    assert is_in(client) is None


def test_who_has_no_password_deletes_the_account_by_its_address(client: Client, provider: Provider) -> None:
    there_and_back(client)
    assert client.post("/account/delete/", {"email": "wrong@example.org"}).status_code == 422
    assert User.objects.exists()
    page = client.post("/account/delete/", {"email": "ada@example.org"})
    assert page["Location"] == f"{AGAIN}?next=%2Faccount%2Fdelete%2F"
    assert User.objects.exists()
    back = there_and_back(client, url=AGAIN, next="/account/delete/")
    assert (provider.asked["prompt"], provider.asked["max_age"]) == ("login", "0")
    # What was interrupted is done at once.
    assert back["Location"] == f"{AGAIN}?next=%2Faccount%2Fdelete%2F"
    client.get(back["Location"])
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "fault", ["signature", "key", "secret", "unsigned", "audience", "expired", "userinfo", "token"]
)
def test_what_cannot_be_trusted_signs_nobody_in(client: Client, provider: Provider, fault: str) -> None:
    provider.fault = fault
    page = there_and_back(client)
    assert page.status_code in (401, 502)
    assert "its answer could not be trusted" in page.content.decode()
    assert is_in(client) is None
    assert not User.objects.exists()


def test_who_is_refused_there_is_told_so(client: Client, provider: Provider) -> None:
    provider.fault = "denied"
    assert there_and_back(client)["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "You cancelled at Club" in client.get("/accounts/3rdparty/login/cancelled/").content.decode()


@pytest.mark.parametrize("fault", ["down", "nonsense"])
def test_a_provider_that_is_away_is_a_page_in_words(client: Client, provider: Provider, fault: str) -> None:
    provider.fault = fault
    page = client.post(LOGIN)
    assert page.status_code == 502
    assert "Club did not answer" in page.content.decode()
    # Forged answers end there too.
    assert client.get(f"{LOGIN}callback/?code=1&state=2").status_code == 401
    for person in ({"sub": None}, {"sub": "x" * 500}, {}):
        provider.fault, provider.person = "", person
        assert there_and_back(client).status_code in (401, 502)
    assert not User.objects.exists()


def test_somebody_without_an_address_there_is_asked_for_one(client: Client, provider: Provider) -> None:
    provider.person = {"sub": "4711", "name": "x" * 300}
    assert there_and_back(client)["Location"] == "/accounts/3rdparty/signup/"
    asked = client.get("/accounts/3rdparty/signup/").content.decode()
    assert "did not tell an e-mail address" in asked
    assert ">E-mail address</label>" in asked
    client.post("/accounts/3rdparty/signup/", {"email": "new@example.org"})
    user = User.objects.get()
    assert is_in(client) == str(user.pk)
    assert not EmailAddress.objects.get(user=user).verified


@pytest.mark.parametrize(
    ("back", "proven"),
    [
        ({}, True),
        ({"auth_time": 0}, True),
        # Signed in there long ago: whoever sits at the browser proved nothing.
        ({"auth_time": -3600}, False),
        ({"sub": "0815", "email": "eve@example.org"}, False),
    ],
)
def test_who_has_only_the_provider_is_asked_there_again(
    client: Client, provider: Provider, back: dict[str, Any], *, proven: bool
) -> None:
    there_and_back(client)
    provider.person = {**_PERSON, "sub": "0815", "email": "eve@example.org"}
    there_and_back(Client())
    provider.person = {**_PERSON, **back}
    change = "/accounts/2fa/webauthn/add/"
    assert client.get(change)["Location"] == f"{AGAIN}?{urlencode({'next': change})}"
    assert "Sign in again with Club" in client.get(f"{AGAIN}?next={change}").content.decode()
    page = there_and_back(client, url=AGAIN, next=change)
    assert page.status_code == (302 if proven else 403)
    assert ("did not confirm that it is you" in page.content.decode()) is not proven
    assert client.get(change).status_code == (200 if proven else 302)
    # Nobody else was signed in by it, and nobody was signed out.
    assert is_in(client) == str(User.objects.get(email="ada@example.org").pk)
    assert Client().get(AGAIN).status_code == 404


def test_where_the_provider_is_the_only_way_in(
    client: Client, provider: Provider, settings: Settings, person: User, letters: None
) -> None:
    settings.OIDC_ONLY = True
    ensure_address(user=person, verified=True)
    page = client.get("/accounts/login/").content.decode()
    assert "Sign in with Club" in page
    assert "password" not in page.replace("?password=1", "")
    assert "Make an account" not in page
    sent = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/accounts/signup/", sent)
    assert User.objects.count() == 1
    credentials = {"login": person.email, "password": PASSWORD}
    refused = client.post("/accounts/login/", credentials, follow=True).content.decode()
    assert "On this site you sign in with Club." in refused
    assert is_in(client) is None
    token = client.post("/api/v1/tokens/", {"email": person.email, "password": PASSWORD, "name": "x"})
    assert (token.status_code, token.json()["code"]) == (403, "single_sign_on_only")
    there_and_back(client)
    assert is_in(client) == str(person.pk)
    assert "Change the password" not in client.get("/account/").content.decode()
    for url in ("change", "set", "reset", "reset/done", "reset/key/1-x"):
        assert client.get(f"/accounts/password/{url}/").status_code == 404
    # A password that is left is not asked for again: the provider is.
    assert client.get("/accounts/2fa/webauthn/add/")["Location"].startswith(AGAIN)
    # Who runs the site gets in when the provider is away.
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    root = Client()
    assert 'name="password"' in root.get("/accounts/login/?password=1").content.decode()
    root.post("/accounts/login/", credentials)
    assert is_in(root) == str(person.pk)
    assert root.get("/accounts/password/change/").status_code == 200
    settings.OIDC_SERVER_URL = ""
    assert "genreweb.E053" in {message.id for message in checks.single_sign_on()}
