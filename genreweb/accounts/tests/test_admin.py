"""People and tokens in the administration."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from genreweb.accounts.addresses import ensure_address, is_verified
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tests.conftest import PASSWORD, browser
from genreweb.accounts.tokens import create_token

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"
TOKENS = "/admin/accounts/apitoken/"


@pytest.fixture
def desk(administrator: User) -> Client:
    return browser(administrator)


def test_people_are_listed_searched_and_filtered(desk: Client, person: User, other: User) -> None:
    page = desk.get(USERS).content.decode()
    assert person.email in page
    assert other.email in page
    found = desk.get(USERS, {"q": "ada"}).content.decode()
    assert person.email in found
    assert other.email not in found
    assert person.email not in desk.get(USERS, {"is_staff__exact": 1}).content.decode()


def test_listing_people_costs_the_same_for_many(desk: Client, django_assert_max_num_queries: Any) -> None:
    desk.get(USERS)
    with django_assert_max_num_queries(9):
        desk.get(USERS)
    for number in range(20):
        ensure_address(user=User.objects.create_user(f"p{number}@example.org"))
    with django_assert_max_num_queries(9):
        assert "p19@example.org" in desk.get(USERS).content.decode()


def test_a_person_is_added_with_an_address_that_counts(desk: Client) -> None:
    form = {
        "email": "New@Example.org",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert "id_username" not in desk.get(f"{USERS}add/").content.decode()
    assert desk.post(f"{USERS}add/", form).status_code == 302
    user = User.objects.get(email="new@example.org")
    assert user.check_password(PASSWORD)
    assert is_verified(user)


def test_an_address_that_differs_only_in_case_is_refused(desk: Client, person: User) -> None:
    form = {
        "email": "ADA@example.org",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    response = desk.post(f"{USERS}add/", form)
    assert response.status_code == 200
    assert "already" in response.content.decode()
    assert User.objects.filter(email__iexact="ada@example.org").count() == 1


def _form(desk: Client, user: User, **changes: Any) -> dict[str, Any]:
    form = desk.get(f"{USERS}{user.pk}/change/").context["adminform"].form
    given = {
        name: value
        for name, value in form.initial.items()
        if name in form.fields and value not in (None, False)
    }
    given.pop("password", None)
    return {**given, **changes}


def test_changing_an_address_keeps_allauth_in_step(desk: Client, person: User) -> None:
    response = desk.post(f"{USERS}{person.pk}/change/", _form(desk, person, email="ada@new.example"))
    assert response.status_code == 302
    person.refresh_from_db()
    assert person.email == "ada@new.example"
    assert list(EmailAddress.objects.filter(user=person).values_list("email", "primary", "verified")) == [
        ("ada@new.example", True, True)
    ]


def test_changing_something_else_confirms_nothing(desk: Client, person: User) -> None:
    desk.post(f"{USERS}{person.pk}/change/", _form(desk, person, display_name="Ada"))
    person.refresh_from_db()
    assert person.display_name == "Ada"
    assert not is_verified(person)


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("confirm_addresses", is_verified),
        ("make_curators", lambda user: User.objects.get(pk=user.pk).is_curator),
    ],
)
def test_actions(desk: Client, person: User, other: User, action: str, check: Any) -> None:
    assert not check(person)
    assert desk.post(USERS, {"action": action, "_selected_action": [person.pk]}).status_code == 302
    assert check(person)
    assert not check(other)


def test_deleting_a_person_says_what_goes_and_shows_no_digest(desk: Client, person: User) -> None:
    token, _secret = create_token(user=person, name="mine")
    url = f"{USERS}{person.pk}/delete/"
    page = desk.get(url).content.decode()
    assert person.email in page
    assert token.digest not in page
    assert desk.post(url, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=person.pk).exists()
    assert not ApiToken.objects.exists()


def test_several_people_are_deleted_at_once(desk: Client, person: User, other: User) -> None:
    form = {"action": "delete_selected", "_selected_action": [person.pk, other.pk], "post": "yes"}
    assert desk.post(USERS, form).status_code == 302
    assert User.objects.count() == 1


def test_the_last_administrator_cannot_be_deleted(desk: Client, administrator: User) -> None:
    url = f"{USERS}{administrator.pk}/delete/"
    assert "without an administrator" in desk.get(url).content.decode()
    desk.post(url, {"post": "yes"})
    assert User.objects.filter(pk=administrator.pk).exists()
    desk.post(
        USERS,
        {"action": "delete_selected", "_selected_action": [administrator.pk], "post": "yes"},
        follow=True,
    )
    assert User.objects.filter(pk=administrator.pk).exists()


def test_tokens_are_listed_without_their_digest(desk: Client, person: User) -> None:
    token, secret = create_token(user=person, name="my script")
    page = desk.get(TOKENS).content.decode()
    assert "my script" in page
    assert token.token_key in page
    assert token.digest not in page
    assert secret not in page
    assert "my script" not in desk.get(TOKENS, {"q": "nothing like it"}).content.decode()


def test_listing_tokens_costs_the_same_for_many(
    desk: Client, person: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        create_token(user=person, name=f"token {number}")
    with django_assert_max_num_queries(9):
        assert "token 19" in desk.get(TOKENS).content.decode()


def test_a_token_is_revoked_after_asking_and_that_is_noted(desk: Client, person: User) -> None:
    token, _secret = create_token(user=person, name="my script")
    url = f"{TOKENS}{token.token_key}/revoke/"
    assert "my script" in desk.get(url).content.decode()
    assert ApiToken.objects.exists()
    assert desk.post(url)["Location"] == TOKENS
    assert not ApiToken.objects.exists()
    assert "my script" in LogEntry.objects.get().object_repr
    assert desk.post(url).status_code == 404


def test_tokens_are_neither_added_nor_changed_there(desk: Client, person: User) -> None:
    token, _secret = create_token(user=person, name="my script")
    assert desk.get(f"{TOKENS}add/").status_code == 404
    assert desk.get(f"{TOKENS}{token.digest}/change/").status_code == 404


def test_staff_without_the_right_to_delete_revoke_nothing(person: User, other: User) -> None:
    User.objects.filter(pk=other.pk).update(is_staff=True)
    other.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    token, _secret = create_token(user=person, name="my script")
    client = browser(other)
    assert client.get(TOKENS).status_code == 200
    assert client.post(f"{TOKENS}{token.token_key}/revoke/").status_code == 403
    assert ApiToken.objects.exists()


def test_people_who_are_no_staff_see_none_of_it(signed_in: Client, client: Client) -> None:
    for url in (USERS, TOKENS):
        assert signed_in.get(url).status_code in (302, 403)
        assert client.get(url).status_code == 302


def test_korean_words_of_the_administration_are_the_sites_own(desk: Client) -> None:
    korean = {"Accept-Language": "ko"}
    index = desk.get("/admin/", headers=korean).content.decode()
    assert "2단계 인증 수단" in index
    assert "Authenticators" not in index
    assert "MFA" not in index
    tokens = desk.get("/admin/accounts/apitoken/", headers=korean).content.decode()
    assert "볼 API 토큰 선택" in tokens
    assert "(들)" not in desk.get("/admin/accounts/user/", headers=korean).content.decode()
