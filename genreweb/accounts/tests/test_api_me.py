"""Who one is, by the API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from genreweb.accounts.models import CURATORS, User
from genreweb.accounts.tokens import create_token

pytestmark = pytest.mark.django_db
URL = "/api/v1/me/"


@pytest.fixture
def program(person: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_token(user=person)[1]}")
    return client


def test_tells_who_one_is(program: APIClient, person: User) -> None:
    me = program.get(URL).json()
    assert me.pop("created")
    assert me.pop("quotas").keys() == {"tracks", "bytes", "minutes_today"}
    assert me == {
        "id": person.pk,
        "email": person.email,
        "display_name": "",
        "is_curator": False,
        "is_staff": False,
    }
    person.groups.add(Group.objects.get_or_create(name=CURATORS)[0])
    assert program.get(URL).json()["is_curator"] is True


def test_takes_another_name_to_show_and_nothing_else(program: APIClient, person: User) -> None:
    response = program.patch(
        URL, {"display_name": " Ada  L. ", "email": "x@example.org", "is_staff": True}, "json"
    )
    assert response.status_code == 200
    assert response.json()["display_name"] == "Ada L."
    person.refresh_from_db()
    assert (person.display_name, person.email, person.is_staff) == ("Ada L.", "ada@example.org", False)


def test_refuses_a_name_too_long(program: APIClient, person: User) -> None:
    response = program.patch(URL, {"display_name": "a" * 81}, "json")
    assert response.status_code == 400
    assert "display_name" in response.json()["error"]["fields"]
    person.refresh_from_db()
    assert person.display_name == ""


def test_strangers_are_nobody() -> None:
    response = APIClient().get(URL)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert APIClient().put(URL, {}).status_code == 401
