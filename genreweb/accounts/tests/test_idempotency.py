"""What an Idempotency-Key keeps, for whom and how long; the calls that heed it are tested where they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from genreweb.accounts import idempotency, tasks
from genreweb.accounts.idempotency import fingerprint_of, idempotent
from genreweb.accounts.models import IdempotencyKey, User
from genreweb.tests.job_rows import wait_for

pytestmark = pytest.mark.django_db


class Counting(APIView):
    """Counts how often it did something."""

    done = 0

    @idempotent
    def post(self, request: Request) -> Response:
        sent: Any = request.data
        if sent.get("wrong"):
            raise ValidationError({"wrong": ["no"]})
        type(self).done += 1
        return Response({"done": self.done, "b": 1, "a": 2}, status=201, headers={"Location": "/there"})


@pytest.fixture(autouse=True)
def _from_nothing() -> None:
    Counting.done = 0


def send(user: User, body: Any, key: str | None = "k-1") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = APIRequestFactory().post("/somewhere/", body, format="json", headers=headers)
    force_authenticate(request, user)
    return Counting.as_view()(request).render()


def test_the_second_time_the_first_answer_comes(person: User) -> None:
    first, second = send(person, {"x": 1}), send(person, {"x": 1})
    assert Counting.done == 1
    assert (second.status_code, second["Location"]) == (201, "/there")
    assert second.content == first.content
    assert second["Idempotency-Replayed"] == "true"
    assert not first.has_header("Idempotency-Replayed")
    # Another key, and none, are other requests.
    assert send(person, {"x": 1}, "k-2").data["done"] == 2
    assert send(person, {"x": 1}, None).data["done"] == 3


def test_the_same_key_with_another_body_is_refused(person: User, other: User) -> None:
    send(person, {"x": 1})
    refused = send(person, {"x": 2})
    assert (refused.status_code, refused.data["code"]) == (422, "idempotency_key_reused")
    assert Counting.done == 1
    # Somebody else's key is somebody else's.
    assert send(other, {"x": 2}).data["done"] == 2


def test_what_was_refused_may_be_corrected(person: User) -> None:
    assert send(person, {"wrong": True}).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert send(person, {"x": 1}).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_keys_that_are_none(person: User, key: str) -> None:
    refused = send(person, {}, key)
    assert (refused.status_code, refused.data["code"]) == (400, "idempotency_key_invalid")
    assert Counting.done == 0


def test_while_the_first_is_worked_on_the_second_is_told_so(person: User) -> None:
    # Another server, whose connection holds the key.
    other_server = connections.create_connection("default")
    try:
        number = idempotency.lock_number(person, "k-1")
        with other_server.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [number])
        refused = send(person, {"x": 1})
        assert (refused.status_code, refused.data["code"]) == (409, "idempotency_in_progress")
        assert refused["Retry-After"] == "1"
        assert Counting.done == 0
    finally:
        # As when it is killed.
        other_server.close()
    # PostgreSQL takes a moment to notice.
    wait_for(lambda: send(person, {"x": 1}).status_code == 201)
    assert Counting.done == 1


def test_after_a_day_a_key_is_new(person: User, other: User) -> None:
    send(person, {"x": 1})
    send(other, {"x": 1})
    IdempotencyKey.objects.filter(user=person).update(created=timezone.now() - timedelta(hours=25))
    assert send(person, {"x": 2}).data["done"] == 3
    IdempotencyKey.objects.filter(user=person).update(created=timezone.now() - timedelta(hours=25))
    tasks.forget_old_answers()
    assert list(IdempotencyKey.objects.values_list("user", flat=True)) == [other.pk]


def test_a_fingerprint_is_of_what_is_asked_not_of_how_it_is_written() -> None:
    factory, parsers = APIRequestFactory(), [JSONParser(), MultiPartParser()]

    def of(data: Any, form: str = "json", path: str = "/a/") -> str:
        return fingerprint_of(Request(factory.post(path, data, format=form), parsers=parsers))

    assert of({"a": 1, "b": 2}) == of({"b": 2, "a": 1})
    assert of({"a": 1}) != of({"a": "1"})
    assert of({"a": 1}) != of({"a": 1}, path="/a/?b")

    def upload(name: str, content: bytes) -> dict[str, Any]:
        return {"file": SimpleUploadedFile(name, content), "title": "x"}

    # Two forms differ in their boundaries.
    same = of(upload("a.wav", b"1"), "multipart")
    assert same == of(upload("a.wav", b"1"), "multipart")
    assert same != of(upload("a.wav", b"2"), "multipart")
    assert same != of(upload("b.wav", b"1"), "multipart")


def test_visitors_have_no_keys() -> None:
    refused = APIClient().post("/api/v1/tracks/", headers={"Idempotency-Key": "k"})
    assert refused.status_code == 401
    assert not IdempotencyKey.objects.exists()
