"""Second factors: enrolled, asked for, used up, taken away, and never readable from the database."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from django.test import Client
from pytest_django import Settings

from genreweb import encryption
from genreweb.accounts import factors
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tests.conftest import PASSWORD, browser

pytestmark = pytest.mark.django_db
NOW = 1_800_000_000
TOTP = "/accounts/2fa/totp/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let codes be those of one moment, which a test moves on."""
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


def code(secret: str) -> str:
    return str(auth.format_hotp_value(auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time()))))


def confirm(client: Client, password: str = PASSWORD) -> None:
    client.post("/accounts/reauthenticate/", {"password": password})


@pytest.fixture
def secret(signed_in: Client, clock: SimpleNamespace) -> str:
    """Turn on an authenticator app for `person`; give its key."""
    confirm(signed_in)
    page = signed_in.get(f"{TOTP}activate/").content.decode()
    found = re.search(r'id="key" type="text" value="([A-Z2-7]+)"', page)
    assert found
    assert signed_in.post(f"{TOTP}activate/", {"code": code(found.group(1))}).status_code == 302
    clock.now += 60
    return found.group(1)


def sign_in(client: Client) -> str:
    response = client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    return str(response["Location"])


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_an_app_is_set_up_after_the_password_and_its_first_code(signed_in: Client, person: User) -> None:
    assert signed_in.get(f"{TOTP}activate/")["Location"].startswith("/accounts/reauthenticate/")
    confirm(signed_in)
    assert signed_in.get(f"{TOTP}activate/").status_code == 200
    refused = signed_in.post(f"{TOTP}activate/", {"code": "000000"})
    assert "This code or passkey is not right" in refused.content.decode()
    assert not factors.has_second_factor(person)
    page = signed_in.get("/account/").content.decode()
    assert "/accounts/2fa/" in page


def test_signing_in_asks_for_the_code(client: Client, secret: str, person: User) -> None:
    assert sign_in(client) == "/accounts/2fa/authenticate/"
    assert not is_in(client)
    page = client.get("/accounts/2fa/authenticate/")
    assert page.status_code == 200
    wrong = client.post("/accounts/2fa/authenticate/", {"code": "123123"})
    assert "This code or passkey is not right" in wrong.content.decode()
    assert not is_in(client)
    right = code(secret)
    client.post("/accounts/2fa/authenticate/", {"code": right})
    assert is_in(client)
    # What somebody read over a shoulder is worth nothing.
    second = Client()
    sign_in(second)
    second.post("/accounts/2fa/authenticate/", {"code": right})
    assert not is_in(second)


def test_codes_cannot_be_guessed(client: Client, secret: str) -> None:
    sign_in(client)
    for number in range(5):
        client.post("/accounts/2fa/authenticate/", {"code": f"00000{number}"})
    said = client.post("/accounts/2fa/authenticate/", {"code": code(secret)}).content.decode()
    assert "Too many" in said
    assert not is_in(client)


@pytest.mark.slow
def test_a_recovery_code_works_once(client: Client, signed_in: Client, secret: str) -> None:
    codes = signed_in.get("/accounts/2fa/recovery-codes/download/").content.decode().split()
    assert len(codes) == 10
    assert codes[0] in signed_in.get("/accounts/2fa/recovery-codes/").content.decode()
    for browser_, works in ((client, True), (Client(), False)):
        sign_in(browser_)
        browser_.post("/accounts/2fa/authenticate/", {"code": codes[0]})
        assert is_in(browser_) is works
    assert "9 of 10 codes" in signed_in.get("/accounts/2fa/").content.decode()
    assert signed_in.post("/accounts/2fa/recovery-codes/generate/").status_code == 302
    assert codes[1] not in signed_in.get("/accounts/2fa/recovery-codes/").content.decode()


@pytest.mark.slow
def test_taking_it_away_needs_the_password_and_takes_the_codes_along(
    client: Client, signed_in: Client, secret: str, person: User
) -> None:
    again = browser(person)
    for url in (f"{TOTP}deactivate/", "/accounts/2fa/recovery-codes/", "/accounts/2fa/webauthn/add/"):
        assert again.get(url)["Location"].startswith("/accounts/reauthenticate/"), url
    assert again.post(f"{TOTP}deactivate/")["Location"].startswith("/accounts/reauthenticate/")
    assert factors.has_second_factor(person)
    assert "no longer asks" in signed_in.get(f"{TOTP}deactivate/").content.decode()
    signed_in.post(f"{TOTP}deactivate/")
    assert not Authenticator.objects.exists()
    assert sign_in(client) == "/"
    assert is_in(client)


def test_the_administration_is_behind_it_too(client: Client, administrator: User, clock: Any) -> None:
    key = auth.generate_totp_secret()
    auth.TOTP.activate(administrator, key)
    form = {"username": administrator.email, "login": administrator.email, "password": PASSWORD}
    assert client.post("/admin/login/?next=/admin/", form)["Location"].startswith("/accounts/login/")
    response = client.post("/accounts/login/?next=/admin/", form)
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/admin/").status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": code(key)})
    assert client.get("/admin/").status_code == 200


def test_a_token_for_a_password_takes_a_code_as_well(secret: str, person: User) -> None:
    asked = {"email": person.email, "password": PASSWORD}
    for more, said in (({}, "second_factor_required"), ({"code": "000000"}, "wrong_code")):
        response = Client().post("/api/v1/tokens/", {**asked, **more}, content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (401, said)
    assert not ApiToken.objects.exists()
    right = Client().post("/api/v1/tokens/", {**asked, "code": code(secret)}, content_type="application/json")
    assert right.status_code == 201
    # Programs have tokens so that nobody must be asked: what they hold goes on working.
    bearer = {"Authorization": f"Bearer {right.json()['token']}"}
    assert Client().get("/api/v1/me/", headers=bearer).status_code == 200


def test_secrets_lie_encrypted_and_survive_a_new_secret_key(
    secret: str, person: User, settings: Settings
) -> None:
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    factor = Authenticator.objects.get(type="totp")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another key, as long as one should be, at the least"
    with pytest.raises(encryption.DecryptionError):
        encryption.decrypt(factor.data["secret"])
    # Not even a code that follows from the damaged text is right.
    assert not factor.wrap().validate_code(code(secret))
    settings.SECRET_KEY_FALLBACKS = [former]
    assert encryption.decrypt(factor.data["secret"]) == secret
    assert factor.wrap().validate_code(code(secret))


def test_the_export_names_factors_without_secrets(signed_in: Client, secret: str, person: User) -> None:
    exported = json.dumps(factors.listed(person), default=str)
    assert [row["kind"] for row in factors.listed(person)] == ["totp", "recovery_codes"]
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in exported
    assert stored not in exported


def test_administrators_remove_factors_and_see_no_secret(
    administrator: User, secret: str, person: User, other: User
) -> None:
    desk = browser(administrator)
    factor = Authenticator.objects.get(type="totp")
    page = desk.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert person.email in page
    assert factor.data["secret"] not in page
    desk.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.filter(user=person).exists()
    assert browser(other).get(f"/admin/mfa/authenticator/{factor.pk}/change/").status_code in (302, 403)


def test_a_passkey_is_of_its_person_alone(signed_in: Client, other: User) -> None:
    confirm(signed_in)
    page = signed_in.get("/accounts/2fa/webauthn/add/").content.decode()
    assert '"challenge"' in page
    assert "passkeys.js" in page
    key = Authenticator.objects.create(user=other, type="webauthn", data={"name": "theirs", "credential": {}})
    for what in ("edit", "remove"):
        assert signed_in.get(f"/accounts/2fa/webauthn/keys/{key.pk}/{what}/").status_code == 404


@pytest.mark.parametrize(
    "credential",
    [
        *(
            "",
            "nonsense",
            "[]",
            "7",
            "{}",
            '{"id": 1}',
            '{"response": {"userHandle": "!"}}',
            '{"response": []}',
        ),
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA", '
        '"authenticatorData": "AA", "attestationObject": "AA", "signature": "AA", "userHandle": "AA"}}',
    ],
)
def test_malformed_passkeys_are_refused_in_words(
    client: Client, signed_in: Client, person: User, secret: str, credential: str
) -> None:
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    answer = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})
    assert answer["Location"] == "/accounts/login/"
    assert not is_in(client)
    sign_in(client)
    assert client.post("/accounts/2fa/authenticate/", {"credential": credential}).status_code == 200
    assert not is_in(client)
    signed_in.get("/accounts/2fa/webauthn/add/")
    assert signed_in.post("/accounts/2fa/webauthn/add/", {"credential": credential}).status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()


def test_a_site_with_mail_wants_the_address_confirmed_first(
    signed_in: Client, letters: None, settings: Settings
) -> None:
    settings.MFA_ALLOW_UNVERIFIED_EMAIL = False
    confirm(signed_in)
    assert signed_in.get(f"{TOTP}activate/")["Location"] == "/accounts/2fa/"
    assert "Confirm your e-mail address first" in signed_in.get("/accounts/2fa/").content.decode()
