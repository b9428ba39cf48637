"""Access to every page and endpoint of training: visitors, contributors, other users, curators, admins.

The addresses and the methods that they take are read from the URL tables, so that a new one fails here
until it has a line. Behind each line is a whole request: who is let in gets the answer that is named, and who
is not changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, reverse
from rest_framework.test import APIClient

import classifier.urls
import library.api.urls
import library.urls
import training.api.urls
import training.urls
from classifier.models import Genre, ModelVersion
from library.models import Reanalysis, Track
from library.tests.conftest import Api, Matrix
from library.tests.sounds import chords, wav
from training.models import Clip, Promotion, TrainingRun
from training.services.promotion import promote
from training.tests.clips import make_clip
from training.tests.versions import clips_of_test_set, make_version, put_into_service

pytestmark = pytest.mark.django_db

Who = Literal["all", "people", "owner", "curators", "seers", "staff"]
ROLES = ("anonymous", "owner", "other", "curator", "staff")
"""`owner` gave the clip and owns the track; `other` has an account and nothing to do with them."""
MAY: dict[Who, set[str]] = {
    "all": set(ROLES),
    "people": {"owner", "other", "curator", "staff"},
    "owner": {"owner"},
    "curators": {"curator", "staff"},
    "seers": {"owner", "curator", "staff"},
    "staff": {"staff"},
}


@dataclass(frozen=True, slots=True)
class Door:
    """An address, how to knock, who is let in and what they are answered; `thing` stands in the address."""

    name: str
    who: Who
    status: int = 200
    method: str = "get"
    thing: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    as_list: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.name} {self.thing}"


def post(name: str, who: Who, status: int, thing: str = "", /, **body: Any) -> Door:
    return Door(name, who, status, "post", thing, body)


REASON = "It hears rock better."
PAGES = [
    Door("training:contribute", "people"),
    post("training:contribute", "people", 302, genre="blues", rights="true", file="sound"),
    Door("training:contribute-track", "owner", thing="track"),
    post("training:contribute-track", "owner", 302, "track", genre="jazz", rights="true"),
    Door("training:contribute-tracks", "people", 302),
    post("training:contribute-tracks", "people", 302, genre="jazz", rights="true"),
    Door("training:given", "owner", thing="track"),
    Door("training:contributions", "people"),
    Door("training:clip-rows", "people"),
    Door("training:withdraw", "owner", thing="clip"),
    post("training:withdraw", "owner", 302, "clip"),
    Door("training:receipts", "people"),
    Door("training:genre-new", "curators"),
    post("training:genre-new", "curators", 302, name="Polka", colour="#1b9e77"),
    Door("training:genre-colour", "curators"),
    Door("training:data", "curators"),
    Door("training:data-csv", "curators"),
    Door("training:data-json", "curators"),
    Door("training:data-archive", "curators"),
    Door("training:review", "curators"),
    Door("training:review-next", "curators"),
    Door("training:review-list", "curators"),
    Door("training:review-bulk", "curators", 302),
    post("training:review-bulk", "curators", 302, action="approve", clip="the clip"),
    Door("training:review-bulk-undo", "curators", 302),
    post("training:review-bulk-undo", "curators", 302, clip="the clip"),
    Door("training:review-health", "curators"),
    Door("training:review-check", "curators", 302),
    post("training:review-check", "curators", 302),
    Door("training:review-decide", "curators", 302, thing="clip"),
    post("training:review-decide", "curators", 302, "clip", decision="approve"),
    Door("training:review-undo", "curators", 302, thing="clip"),
    post("training:review-undo", "curators", 302, "clip"),
    Door("training:review-picture", "curators", thing="clip"),
    Door("training:runs", "curators"),
    post("training:runs", "curators", 302, kind="quick"),
    Door("training:run-preflight", "curators"),
    Door("training:run", "curators", thing="run"),
    Door("training:run-progress", "curators", thing="run"),
    Door("training:run-cancel", "curators", thing="run"),
    post("training:run-cancel", "curators", 302, "run"),
    Door("training:versions", "curators"),
    Door("training:versions-import", "curators", 302),
    post("training:versions-import", "curators", 422, file="no bundle"),
    Door("training:versions-rollback", "curators"),
    post("training:versions-rollback", "curators", 302, reason=REASON),
    Door("training:version", "curators", thing="version"),
    Door("training:version-promote", "curators", 302, thing="version"),
    post("training:version-promote", "curators", 302, "version", reason=REASON),
    Door("training:version-bundle", "curators", thing="version"),
    Door("classifier:quality", "all"),
    Door("library:reanalysis-watch", "people", thing="mine"),
    Door("library:reanalysis-watch", "curators", thing="catalogue"),
    Door("library:reanalysis-begin", "people", 302, thing="mine"),
    Door("library:reanalysis-begin", "curators", 302, thing="catalogue"),
    post("library:reanalysis-begin", "people", 302, "mine"),
    post("library:reanalysis-begin", "curators", 302, "catalogue"),
    Door("library:reanalysis", "owner", thing="reanalysis"),
    Door("library:reanalysis-steer", "owner", 302, thing="reanalysis"),
    post("library:reanalysis-steer", "owner", 302, "reanalysis", act="pause"),
]
ADDRESSES = [
    Door("api:genres", "all"),
    post("api:genres", "curators", 201, name="Polka"),
    Door("api:clips", "people"),
    post("api:clips", "people", 202, genre="blues", rights="true", file="sound"),
    Door("api:clips-csv", "curators"),
    Door("api:clips-json", "curators"),
    Door("api:clips-archive", "curators"),
    Door("api:clip", "seers", thing="clip"),
    Door("api:clip", "owner", 204, "delete", "clip"),
    post("api:clip-review", "curators", 200, "clip", decision="approve"),
    Door("api:clip-review", "curators", 200, "delete", "clip"),
    Door(
        "api:clips-review",
        "curators",
        200,
        "post",
        body={"id": "the clip", "decision": "approve"},
        as_list=True,
    ),
    Door("api:training-runs", "curators"),
    post("api:training-runs", "curators", 200, kind="quick"),
    Door("api:training-preflight", "curators"),
    Door("api:training-run", "curators", thing="run"),
    post("api:training-run-cancel", "curators", 200, "run"),
    Door("api:model-versions", "people"),
    post("api:model-versions", "curators", 400, file="no bundle"),
    Door("api:model-version", "people", thing="version"),
    Door("api:model-version-compare", "people", thing="version"),
    post("api:model-version-promote", "curators", 200, "version", reason=REASON),
    post("api:model-versions-rollback", "curators", 200, reason=REASON),
    Door("api:model-version-bundle", "curators", thing="version"),
    Door("api:reanalyses", "people"),
    post("api:reanalyses", "curators", 409, scope="catalogue"),
    Door("api:reanalysis", "owner", thing="reanalysis"),
    post("api:reanalysis-steer", "owner", 200, "reanalysis", act="pause"),
]
TAUGHT = [
    *(("training", pattern) for pattern in training.urls.urlpatterns),
    *(("classifier", pattern) for pattern in classifier.urls.urlpatterns),
    *(("library", each) for each in library.urls.urlpatterns if str(each.name).startswith("reanalys")),
]
TAUGHT_BY_PROGRAMS = [
    *(("api", pattern) for pattern in training.api.urls.urlpatterns),
    *(("api", each) for each in library.api.urls.urlpatterns if str(each.name).startswith("reanalys")),
]
Things = dict[str, Any]


@pytest.fixture
def things(matrix: Matrix, genres: dict[str, Genre], done_track: Callable[..., Track]) -> Things:
    """Make one of each thing that an address may name."""
    champion = put_into_service(make_version("champion", wrong=clips_of_test_set("rock", 20)))
    served = make_version("served", wrong=clips_of_test_set("rock", 10))
    promote(version=served, by=matrix.staff, reason=REASON)
    assert champion.served_at is not None
    run = TrainingRun.objects.create(kind="quick", architecture="residual-cnn", epochs=1)
    return {
        "clip": make_clip(matrix.owner, genres["blues"]).pk,
        "run": run.pk,
        "version": make_version("candidate").pk,
        "track": done_track(matrix.owner).pk,
        "reanalysis": Reanalysis.objects.create(scope="mine", requested_by=matrix.owner, total=1).pk,
        "mine": "mine",
        "catalogue": "catalogue",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patterns", "doors"),
    [pytest.param(TAUGHT, PAGES, id="pages"), pytest.param(TAUGHT_BY_PROGRAMS, ADDRESSES, id="API")],
)
def test_every_address_and_method_has_its_line(
    patterns: list[tuple[str, URLPattern]], doors: list[Door], things: Things, matrix: Matrix, api: Api
) -> None:
    person = api(matrix.staff)
    person.force_login(matrix.staff)
    nothing = {"int": 1, "uuid": uuid.uuid4(), "slug": "mine"}
    taken = set()
    for namespace, pattern in patterns:
        name = f"{namespace}:{pattern.name}"
        converters = pattern.pattern.converters.values()
        kinds = [type(converter).__name__.removesuffix("Converter").lower() for converter in converters]
        answer = person.options(reverse(name, args=[nothing[kind] for kind in kinds]))
        methods = set(answer.headers.get("Allow", "any").lower().split(", ")) - {"head", "options"}
        taken |= {(name, method) for method in methods}
    assert taken == {(door.name, door.method) for door in doors}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_pages(role: str, matrix: Matrix, things: Things, client: Client) -> None:
    person = getattr(matrix, role)
    if not isinstance(person, AnonymousUser):
        client.force_login(person)
    wrong = []
    for door in PAGES:
        with _undone():
            before = _rows()
            answer = _knock(client, door, things)
            if role in MAY[door.who]:
                right = answer.status_code == door.status and not _to_login(answer)
            elif role == "anonymous":
                right = _to_login(answer) and _rows() == before
            else:
                right = answer.status_code == 404 and _rows() == before
            if not right:
                wrong.append((str(door), answer.status_code, answer.headers.get("Location")))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_addresses_of_the_api(role: str, matrix: Matrix, things: Things, api: Api) -> None:
    program = api(getattr(matrix, role))
    wrong = []
    for door in ADDRESSES:
        with _undone():
            before = _rows()
            answer = _knock(program, door, things)
            if role in MAY[door.who]:
                right = answer.status_code == door.status
            else:
                right = answer.status_code == (401 if role == "anonymous" else 404) and _rows() == before
            if not right:
                wrong.append((str(door), answer.status_code))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_administration(role: str, matrix: Matrix, things: Things, client: Client) -> None:
    person = getattr(matrix, role)
    if not isinstance(person, AnonymousUser):
        client.force_login(person)
    models = [model for model in admin.site._registry if model._meta.app_label in {"training", "classifier"}]
    assert {Clip, Promotion, TrainingRun, ModelVersion, Genre} <= set(models)
    for model in models:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        addresses = [reverse(f"{base}_changelist")]
        addresses += [reverse(f"{base}_change", args=[row.pk])] if row else []
        for address in addresses:
            answer = client.get(address)
            if role == "staff":
                assert answer.status_code == 200, address
            else:
                assert answer.status_code == 302, address
                assert answer.headers["Location"].startswith("/admin/login/"), address


def test_what_does_not_exist_is_not_there_for_curators_either(
    matrix: Matrix, client: Client, api: Api
) -> None:
    client.force_login(matrix.curator)
    program = api(matrix.curator)
    kinds = ("clip", "run", "track", "version", "reanalysis")
    things = {kind: 999_999 if kind in ("version", "reanalysis") else uuid.uuid4() for kind in kinds}
    for door in [*PAGES, *ADDRESSES]:
        if door.thing in kinds:
            answer = _knock(program if door.name.startswith("api:") else client, door, things)
            if (door.method, door.status, answer.status_code) == ("get", 302, 302):
                # It leads to the page of the thing, or to a list.
                followed = client.get(getattr(answer, "url", ""))
                assert followed.status_code == (404 if door.name.startswith("training:version") else 200), (
                    door
                )
            elif door.name in ("training:review-decide", "training:review-undo"):
                # A clip may be withdrawn while somebody looks at it: the queue says so, and goes on.
                assert answer.status_code == 302, door
                assert "no longer there" in client.get("/review/").content.decode(), door
            else:
                assert answer.status_code == 404, door


def _knock(client: Client | APIClient, door: Door, things: Things) -> HttpResponseBase:
    address = reverse(door.name, args=[things[door.thing]] if door.thing else [])
    body: Any = {key: _sent(value, things) for key, value in door.body.items()}
    if door.as_list:
        body = [body]
    options = {}
    if isinstance(client, APIClient) and door.method == "post":
        options["format"] = "multipart" if "file" in door.body else "json"
    answer: HttpResponseBase = getattr(client, door.method)(address, body, **options)
    return answer


def _sent(value: Any, things: Things) -> Any:
    if value == "the clip":
        return str(things["clip"])
    if value == "sound":
        return SimpleUploadedFile("song.wav", wav(chords(4)))
    if value == "no bundle":
        return SimpleUploadedFile("bundle.zip", b"no bundle")
    return value


@contextmanager
def _undone() -> Iterator[None]:
    """Take back what one request did, so that the next one finds everything as it was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _rows() -> dict[str, str]:
    """Give what stands in the tables that requests of this kind write to."""
    models = [Clip, TrainingRun, ModelVersion, Promotion, Genre, Reanalysis, Track]
    digests = {}
    with connection.cursor() as cursor:
        for model in models:
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t.id), '')) FROM {table} t")
            digests[model.__name__] = cursor.fetchone()[0]
    return digests


def _to_login(answer: HttpResponseBase) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
