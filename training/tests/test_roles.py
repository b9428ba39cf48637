"""Who may come to every page and address of training: nobody, a contributor, a stranger, a curator, an admin.

The addresses are taken from the URL tables themselves, so that a new one without a line here fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from classifier.models import Genre, ModelVersion
from library.models import Track
from library.tests.conftest import Api, Matrix
from training import urls
from training.api import urls as api_urls
from training.models import Clip, TrainingRun

pytestmark = pytest.mark.django_db

Who = Literal["people", "contributor", "curators"]
ROLES = ("anonymous", "owner", "other", "curator", "staff")
"""`owner` contributed the clip and owns the track; `other` has an account and nothing to do with them."""
MAY: dict[Who, set[str]] = {
    "people": {"owner", "other", "curator", "staff"},
    "contributor": {"owner"},
    "curators": {"curator", "staff"},
}


@dataclass(frozen=True, slots=True)
class Door:
    """An address, how to knock, and who is let in. `args` names what stands in the address."""

    who: Who
    args: str = ""
    method: str = "get"


PAGES: dict[str, Door] = {
    "contribute": Door("people"),
    "contribute-track": Door("contributor", "track"),
    "given": Door("contributor", "track"),
    "contributions": Door("people"),
    "clip-rows": Door("people"),
    "withdraw": Door("contributor", "clip"),
    "receipts": Door("people"),
    "genre-new": Door("curators"),
    "genre-colour": Door("curators"),
    "data": Door("curators"),
    "runs": Door("curators"),
    "run-preflight": Door("curators"),
    "run": Door("curators", "run"),
    "run-progress": Door("curators", "run"),
    "run-cancel": Door("curators", "run", "post"),
    "versions": Door("curators"),
    "versions-import": Door("curators", method="post"),
    "versions-rollback": Door("curators", method="post"),
    "version": Door("curators", "version"),
    "version-promote": Door("curators", "version", "post"),
    "version-bundle": Door("curators", "version"),
    "review": Door("curators"),
    "review-next": Door("curators"),
    "review-list": Door("curators"),
    "review-bulk": Door("curators", method="post"),
    "review-bulk-undo": Door("curators", method="post"),
    "review-health": Door("curators"),
    "review-check": Door("curators", method="post"),
    "review-decide": Door("curators", "clip", "post"),
    "review-undo": Door("curators", "clip", "post"),
    "review-picture": Door("curators", "clip"),
}
ADDRESSES: dict[tuple[str, str], Door] = {
    ("clips", "get"): Door("people"),
    ("clips", "post"): Door("people", method="post"),
    ("clip", "get"): Door("contributor", "clip"),
    ("clip", "delete"): Door("contributor", "clip", "delete"),
    ("clip-review", "post"): Door("curators", "clip", "post"),
    ("clips-review", "post"): Door("curators", method="post"),
    ("training-runs", "get"): Door("curators"),
    ("training-runs", "post"): Door("curators", method="post"),
    ("training-preflight", "get"): Door("curators"),
    ("training-run", "get"): Door("curators", "run"),
    ("training-run-cancel", "post"): Door("curators", "run", "post"),
    ("model-versions", "get"): Door("people"),
    ("model-versions", "post"): Door("curators", method="post"),
    ("model-version", "get"): Door("people", "version"),
    ("model-version-compare", "get"): Door("people", "version"),
    ("model-version-promote", "post"): Door("curators", "version", "post"),
    ("model-versions-rollback", "post"): Door("curators", method="post"),
    ("model-version-bundle", "get"): Door("curators", "version"),
}


@pytest.fixture
def things(
    matrix: Matrix, genres: dict[str, Genre], version: ModelVersion, heard_track: Callable[..., Track]
) -> dict[str, Any]:
    """Make one of each thing that an address may name."""
    clip = Clip.objects.create(
        contributor=matrix.owner,
        genre=genres["blues"],
        contributed_genre=genres["blues"],
        sha256="0" * 64,
        status=Clip.Status.PENDING,
        features="clips/none.npz",
    )
    run = TrainingRun.objects.create(
        kind=TrainingRun.Kind.QUICK,
        architecture="residual-cnn",
        epochs=1,
        status=TrainingRun.Status.CANCELLED,
    )
    return {"clip": clip.pk, "run": run.pk, "version": version.pk, "track": heard_track(matrix.owner).pk}


def test_every_address_has_its_line() -> None:
    assert {pattern.name for pattern in urls.urlpatterns} == PAGES.keys()
    assert {pattern.name for pattern in api_urls.urlpatterns} <= {name for name, _method in ADDRESSES}


@pytest.mark.parametrize("role", ROLES)
def test_pages(role: str, matrix: Matrix, things: dict[str, Any], client: Client) -> None:
    person = getattr(matrix, role)
    if not isinstance(person, AnonymousUser):
        client.force_login(person)
    for name, door in PAGES.items():
        address = reverse(f"training:{name}", args=[things[door.args]] if door.args else [])
        answer = getattr(client, door.method)(address)
        if role == "anonymous":
            assert answer.status_code == 302, name
            assert answer.headers["Location"].startswith("/accounts/login/"), name
        elif role in MAY[door.who]:
            assert _let_in(answer), f"{name} refused {role}: {answer.status_code}"
        else:
            assert answer.status_code == 404, f"{name} let {role} in: {answer.status_code}"


@pytest.mark.parametrize("role", ROLES)
def test_addresses_of_the_api(role: str, matrix: Matrix, things: dict[str, Any], api: Api) -> None:
    program = api(getattr(matrix, role))
    for (name, method), door in ADDRESSES.items():
        address = reverse(f"api:{name}", args=[things[door.args]] if door.args else [])
        answer = getattr(program, method)(address)
        # Curators see every clip, but only its contributor withdraws it.
        sees = name == "clip" and method == "get" and role in MAY["curators"]
        if role == "anonymous":
            assert answer.status_code == 401, (name, method)
        elif role in MAY[door.who] or sees:
            assert _let_in(answer), f"{method} {name} refused {role}: {answer.status_code}"
        else:
            assert answer.status_code == 404, f"{method} {name} let {role} in: {answer.status_code}"


def test_what_does_not_exist_is_not_there_for_curators_either(
    matrix: Matrix, client: Client, api: Api
) -> None:
    client.force_login(matrix.curator)
    for name, door in PAGES.items():
        if door.args:
            nothing = 999_999 if door.args == "version" else uuid.uuid4()
            answer = getattr(client, door.method)(reverse(f"training:{name}", args=[nothing]))
            assert answer.status_code == 404, name
    program = api(matrix.curator)
    for (name, method), door in ADDRESSES.items():
        if door.args:
            nothing = 999_999 if door.args == "version" else uuid.uuid4()
            answer = getattr(program, method)(reverse(f"api:{name}", args=[nothing]))
            assert answer.status_code in (400, 404), name


def _let_in(answer: HttpResponseBase) -> bool:
    """Whether somebody got past the door; what they then did wrong is another matter."""
    to_login = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
    return answer.status_code not in (401, 403, 404, 500) and not to_login
