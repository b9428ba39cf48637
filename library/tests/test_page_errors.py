"""Error pages, and errors as JSON for API clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse

from genreweb import errors
from genreweb.accounts.models import User
from library.models import Track


def test_nothing_here_says_what_to_do_next(client: Client, owner: User) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    html = answer.content.decode()
    assert "There is nothing here" in html
    assert f"{reverse('account_login')}?next=/nowhere/" in html
    client.force_login(owner)
    html = client.get("/nowhere/").content.decode()
    assert reverse("library:history") in html
    assert f"{reverse('account_login')}?next" not in html


@pytest.mark.django_db
def test_programs_are_answered_in_json(client: Client) -> None:
    answer = client.get("/api/v1/nowhere/")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    error = answer.json()["error"]
    assert error["code"] == "not_found"
    assert error["message"]


def test_too_many_files_at_once_are_too_much(
    client: Client, owner: User, stored: Callable[[], list[str]]
) -> None:
    client.force_login(owner)
    files = [SimpleUploadedFile(f"{number}.wav", b"RIFF") for number in range(101)]
    answer = client.post("/upload/", {"file": files})
    assert answer.status_code == 413
    assert "That was too much at once" in answer.content.decode()
    assert not Track.objects.exists()
    assert stored() == []


@pytest.mark.django_db
def test_another_bad_request_is_just_bad(client: Client) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("handler", "status", "code"),
    [
        (lambda request: errors.forbidden(request, PermissionDenied()), 403, "permission_denied"),
        (lambda request: errors.bad_request(request, ValueError()), 400, "bad_request"),
        (errors.broken, 500, "internal"),
    ],
)
def test_each_has_a_shape_for_programs_and_a_page_for_people(
    rf: RequestFactory, owner: User, handler: Any, status: int, code: str
) -> None:
    program = rf.get("/api/v1/tracks/")
    answer = handler(program)
    assert answer.status_code == status
    assert code in answer.content.decode()
    person = rf.get("/tracks/")
    person.user = owner
    answer = handler(person)
    assert answer.status_code == status
    assert "<h1>" in answer.content.decode()


def test_a_broken_site_still_answers_without_its_database(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No `db` fixture: any query would fail this test."""

    def fall_over(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("for the test")

    monkeypatch.setattr("library.views.home.render", fall_over)
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    html = answer.content.decode()
    assert "Something went wrong" in html
    assert "for the test" not in html


@pytest.mark.parametrize("address", ["/", "/api/nowhere/"])
def test_a_database_that_restarts_is_told_as_that(
    client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def be_away(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("the database system is starting up")

    monkeypatch.setattr("library.views.home.render", be_away)
    monkeypatch.setattr("genreweb.errors._answer", be_away)
    client.raise_request_exception = False
    answer = client.get(address)
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert ("Back in a moment" if address == "/" else "unavailable") in answer.content.decode()
    assert "starting up" not in answer.content.decode()
