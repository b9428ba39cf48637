"""Versions for programs: who may do what, and what comes of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import Matrix
from training.models import Promotion
from training.tests.versions import (
    LABELS,
    clips_of_test_set,
    damage,
    make_clip,
    make_run,
    make_version,
    put_into_service,
)

pytestmark = pytest.mark.django_db

BASE = "/api/v1/model-versions/"
Api = Callable[[User | AnonymousUser], APIClient]


@pytest.fixture
def champion(db: None) -> ModelVersion:
    return put_into_service(make_version("champion", wrong=clips_of_test_set("rock", 10)))


@pytest.fixture
def better(champion: ModelVersion) -> ModelVersion:
    return make_version("better", wrong=clips_of_test_set("rock", 2))


@pytest.fixture
def worse(champion: ModelVersion) -> ModelVersion:
    return make_version("worse", wrong=clips_of_test_set("rock", 20))


@pytest.fixture
def curator_api(api: Api, curator: User) -> APIClient:
    return api(curator)


def in_service() -> str:
    return ModelVersion.objects.get(is_in_service=True).name


def bundle(response: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile("bundle.zip", b"".join(response.streaming_content))


# --- who -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        # For: nobody, someone with an account, a curator, staff.
        ("get", "", None, (401, 200, 200, 200)),
        ("get", "{better}/", None, (401, 200, 200, 200)),
        ("get", "{better}/compare/", None, (401, 200, 200, 200)),
        ("get", "{better}/bundle/", None, (401, 404, 200, 200)),
        ("post", "", {}, (401, 404, 400, 400)),
        ("post", "{better}/promote/", {"reason": "Better."}, (401, 404, 200, 200)),
        ("post", "rollback/", {"reason": "Back."}, (401, 404, 409, 409)),
    ],
)
def test_who_may(
    method: str,
    path: str,
    body: dict[str, Any] | None,
    statuses: tuple[int, ...],
    request: pytest.FixtureRequest,
) -> None:
    better: ModelVersion = request.getfixturevalue("better")
    matrix: Matrix = request.getfixturevalue("matrix")
    api: Api = request.getfixturevalue("api")
    options = {"format": "multipart"} if (method, path) == ("post", "") else {}
    people: tuple[User | AnonymousUser, ...] = (matrix.anonymous, matrix.owner, matrix.curator, matrix.staff)
    for person, status in zip(people, statuses, strict=True):
        send = getattr(api(person), method)
        response = send(BASE + path.format(better=better.pk), body, **options)
        assert response.status_code == status
        if response.streaming:
            assert bundle(response).size
        if status >= 400:
            assert response.json()["error"]["message"]
        done = path.endswith("promote/") and status == 200
        assert in_service() == ("better" if done else "champion")
        assert Promotion.objects.count() == (1 if done else 0)
        put_into_service(ModelVersion.objects.get(name="champion"))
        Promotion.objects.all().delete()


@pytest.mark.parametrize("path", ["99999/", f"{10**30}/", "99999/compare/", "99999/bundle/"])
def test_what_is_not_there_is_not_found(path: str, curator_api: APIClient) -> None:
    response = curator_api.get(BASE + path)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


# --- reading -------------------------------------------------------------------------------------------
def test_a_version_says_what_it_is(owner_api: APIClient, owner: User, champion: ModelVersion) -> None:
    clips = [make_clip(owner, "rock") for _ in range(3)]
    run = make_run(champion, [(clip, "train") for clip in clips])
    clips[0].delete()
    body = owner_api.get(f"{BASE}{champion.pk}/").json()
    assert (body["id"], body["name"], body["in_service"]) == (champion.pk, "champion", True)
    assert (body["labels"], body["source"], body["architecture"]) == (LABELS, "trained", "residual-cnn")
    assert body["trained_on"]["clips"] == 3
    assert body["trained_on"]["withdrawn"] == 1
    assert body["trained_on"]["run"] == str(run.pk)
    metrics = body["metrics"]
    test = champion.metadata["test"]
    assert metrics["clips"] == test["n"]
    assert metrics["accuracy"] == pytest.approx(test["accuracy"])
    assert metrics["recall"] == pytest.approx(test["recall"])
    assert metrics["size"] == champion.files["model.tflite"]["size"]
    assert body["fault"] is None


def test_a_version_that_nobody_measured_says_so(owner_api: APIClient) -> None:
    bare = make_version("bare", test=None, test_predictions=None, test_channels=None, robustness=None)
    metrics = owner_api.get(f"{BASE}{bare.pk}/").json()["metrics"]
    assert (metrics["accuracy"], metrics["robustness"], metrics["recall"]) == (None, None, {})


def test_the_list_begins_with_the_one_in_service_and_asks_little(
    owner_api: APIClient, better: ModelVersion, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        make_version(f"more {number}")
    with django_assert_max_num_queries(8):
        body = owner_api.get(BASE).json()
    assert [row["name"] for row in body["results"]][:2] == ["champion", "more 2"]
    assert body["count"] == 5


def test_a_comparison_gives_counts_words_and_the_gate(owner_api: APIClient, worse: ModelVersion) -> None:
    body = owner_api.get(f"{BASE}{worse.pk}/compare/").json()
    assert (body["champion"]["name"], body["candidate"]["name"]) == ("champion", "worse")
    paired = body["paired"]
    assert (paired["clips"], paired["better"], paired["worse"]) == (290, 0, 10)
    assert paired["p"] == pytest.approx(2 / 2**10)
    assert paired["words"] == "Better on 0 clips, worse on 10: unlikely to be chance."
    rock = next(row for row in body["genres"] if row["genre"] == "rock")
    assert (rock["clips"], rock["few"]) == (29, False)
    assert (rock["before"], rock["after"]) == (pytest.approx(19 / 29), pytest.approx(9 / 29))
    assert [clip["name"] for clip in body["changed"]] == clips_of_test_set("rock", 20)[10:]
    assert body["changed"][0]["before"] == {"genre": "rock", "confidence": 0.8}
    assert body["gate"]["open"] is False
    assert len(body["gate"]["reasons"]) == 2
    assert body["metrics"]["champion"]["clips"] == 290


def test_without_a_version_in_service_there_is_nothing_to_compare_with(
    owner_api: APIClient, better: ModelVersion
) -> None:
    ModelVersion.objects.update(is_in_service=False)
    response = owner_api.get(f"{BASE}{better.pk}/compare/")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_classifier")


# --- acting --------------------------------------------------------------------------------------------
def test_promotion_and_rollback(curator_api: APIClient, curator: User, better: ModelVersion) -> None:
    promoted = curator_api.post(f"{BASE}{better.pk}/promote/", {"reason": "Better."})
    body = promoted.json()
    assert (promoted.status_code, body["action"], body["overridden"]) == (200, "promote", False)
    assert (body["version"]["name"], body["former"]["name"]) == ("better", "champion")
    assert in_service() == "better"
    back = curator_api.post(f"{BASE}rollback/", {"reason": "People complain."})
    assert (back.status_code, back.json()["action"]) == (200, "rollback")
    assert in_service() == "champion"
    assert Promotion.objects.filter(by=curator).count() == 2


def test_the_gate_answers_with_its_reasons(curator_api: APIClient, worse: ModelVersion) -> None:
    refused = curator_api.post(f"{BASE}{worse.pk}/promote/", {"reason": "Try."})
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["code"] == "gate_refused"
    assert "rock loses 34 points" in error["message"]
    assert in_service() == "champion"
    passed = curator_api.post(f"{BASE}{worse.pk}/promote/", {"reason": "Try.", "override": True})
    assert (passed.status_code, passed.json()["overridden"]) == (200, True)
    assert in_service() == "worse"


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": "a", "override": "?"}]
)
def test_what_lacks_a_reason_is_refused(
    body: dict[str, Any], curator_api: APIClient, better: ModelVersion
) -> None:
    response = curator_api.post(f"{BASE}{better.pk}/promote/", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid")
    assert in_service() == "champion"


def test_a_damaged_version_is_not_put_into_service(curator_api: APIClient, better: ModelVersion) -> None:
    damage(better)
    response = curator_api.post(f"{BASE}{better.pk}/promote/", {"reason": "Try."})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "version_damaged")
    response = curator_api.get(f"{BASE}{better.pk}/bundle/")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "bundle_damaged")
    assert in_service() == "champion"


# --- bundles -------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_version_travels(curator_api: APIClient, curator: User, better: ModelVersion) -> None:
    response = curator_api.get(f"{BASE}{better.pk}/bundle/")
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"] == 'attachment; filename="genreweb-better.zip"'
    content = bundle(response)
    with zipfile.ZipFile(io.BytesIO(content.read())) as archive:
        assert json.loads(archive.read("manifest.json"))["name"] == "better"
    content.seek(0)
    known = curator_api.post(BASE, {"file": content}, format="multipart")
    assert known.status_code == 200

    # As a site that has never seen this network.
    ModelVersion.objects.update(sha256="0" * 64)
    content.seek(0)
    added = curator_api.post(BASE, {"file": content}, format="multipart")
    assert added.status_code == 201
    body = added.json()
    assert (body["name"], body["source"], body["in_service"]) == ("better (2)", "imported", False)
    assert added["Location"].endswith(f"{BASE}{body['id']}/")
    assert ModelVersion.objects.get(pk=body["id"]).added_by == curator


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_bundle_is_refused(content: bytes, curator_api: APIClient) -> None:
    file = SimpleUploadedFile("bundle.zip", content)
    response = curator_api.post(BASE, {"file": file}, format="multipart")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bundle_not_zip")
    assert not ModelVersion.objects.exists()
