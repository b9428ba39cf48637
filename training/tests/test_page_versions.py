"""The pages of versions: who sees them, what they say, and what curators do there."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier import registry
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import Matrix
from training.models import Promotion
from training.services.promotion import promote
from training.tests.versions import (
    clips_of_test_set,
    damage,
    make_clip,
    make_run,
    make_version,
    put_into_service,
)

pytestmark = pytest.mark.django_db

ALL = "/training/versions/"


@pytest.fixture
def champion(db: None) -> ModelVersion:
    registry.sync_genres()
    return put_into_service(make_version("champion", wrong=clips_of_test_set("rock", 10)))


@pytest.fixture
def better(champion: ModelVersion) -> ModelVersion:
    return make_version("better", wrong=clips_of_test_set("rock", 2))


@pytest.fixture
def worse(champion: ModelVersion) -> ModelVersion:
    return make_version("worse", wrong=clips_of_test_set("rock", 20))


@pytest.fixture
def page(client: Client, curator: User) -> Callable[[str], str]:
    client.force_login(curator)

    def get(path: str) -> str:
        response = client.get(path)
        assert response.status_code == 200
        return unescape(response.content.decode())

    return get


def in_service() -> str:
    return ModelVersion.objects.get(is_in_service=True).name


@pytest.mark.slow
def test_only_curators_see_them(client: Client, better: ModelVersion, matrix: Matrix) -> None:
    of_one = reverse("training:version", args=[better.pk])
    get = [ALL, of_one, f"{of_one}bundle/", f"{ALL}rollback/"]
    post = [f"{of_one}promote/", f"{ALL}rollback/", f"{ALL}import/"]
    for path in get:
        assert client.get(path).status_code == 302
    for path in post:
        assert client.post(path, {"reason": "Mine."}).status_code == 302
    client.force_login(matrix.owner)
    assert {client.get(path).status_code for path in get} == {404}
    assert {client.post(path, {"reason": "Mine."}).status_code for path in post} == {404}
    assert in_service() == "champion"
    for person in (matrix.curator, matrix.staff):
        client.force_login(person)
        for path in get:
            response = client.get(path)
            assert response.status_code == 200
            if response.streaming:
                assert b"".join(response.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]


def test_the_list_says_which_one_answers(
    page: Callable[[str], str], champion: ModelVersion, better: ModelVersion, curator: User, owner: User
) -> None:
    clips = [make_clip(owner, "rock") for _ in range(3)]
    make_run(better, [(clip, "train") for clip in clips])
    clips[0].delete()
    promote(version=better, by=curator, reason="It finds <more> rock.")
    html = page(ALL)
    assert "Go back to champion…" in html
    assert "1 of its 3 clips was withdrawn" in html
    assert "It finds <more> rock." in html
    assert "better was put into service" in html
    assert html.count("versions-chip is-good") == 1
    assert "answered before" in html


def test_before_anything_is_there_the_page_says_what_to_do(page: Callable[[str], str]) -> None:
    html = page(ALL)
    assert "No version is in service" in html
    assert "Train one, or import a bundle" in html


def test_what_people_write_is_not_markup(client: Client, curator: User, better: ModelVersion) -> None:
    client.force_login(curator)
    promote(version=better, by=curator, reason="<script>alert(1)</script>")
    content = client.get(ALL).content
    assert b"<script>alert" not in content
    assert b"&lt;script&gt;alert" in content


def test_a_candidate_beside_the_champion(
    page: Callable[[str], str], champion: ModelVersion, better: ModelVersion, owner: User
) -> None:
    heard = make_clip(owner, "jazz", artist="Somebody")
    heard.sound.save("clip.ogg", ContentFile(b"OggS"), save=True)
    gone = str(uuid4())
    said = {
        str(heard.pk): {"genre": "jazz", "champion": ["blues", 0.9], "candidate": ["jazz", 0.7]},
        gone: {"genre": "jazz", "champion": ["jazz", 0.9], "candidate": ["blues", 0.7]},
    }
    make_run(better, [(heard, "holdout")], holdout={"champion": champion.pk, "clips": said}, epochs=5)
    html = page(reverse("training:version", args=[better.pk]))
    assert "Better on 9 clips, worse on 1: unlikely to be chance." in html
    assert "290 clips are of the frozen test set, 2 were contributed and held out." in html
    assert "McNemar's exact test: p = 0.021." in html
    assert "The gate is open." in html
    assert 'name="override"' not in html
    assert "10 clips: 9 now right, 1 now wrong" in html
    # Contributed clips can be played, those of the test set are only named.
    assert html.count(f'data-track="clip-{heard.pk}"') == 1
    assert "A clip that was withdrawn" in html
    assert "rock.00005" in html
    epochs = json.loads(
        html.partition('<script id="run-epochs" type="application/json">')[2].partition("<")[0]
    )
    assert [row["number"] for row in epochs] == [1, 2, 3, 4, 5]
    assert html.count("versions-confusion") == 2


def test_the_gate_says_why_it_is_closed(page: Callable[[str], str], worse: ModelVersion) -> None:
    html = page(reverse("training:version", args=[worse.pk]))
    assert "The gate is closed." in html
    assert "Rock loses 34 points: 66 % found before, 31 % now." in html
    assert "worse on the whole" in html
    assert ">−34<" in html
    assert 'name="override"' in html


def test_a_version_that_nobody_measured_has_a_page(
    page: Callable[[str], str], champion: ModelVersion
) -> None:
    bare = make_version("bare", test=None, test_predictions=None, test_channels=None, robustness=None)
    html = page(reverse("training:version", args=[bare.pk]))
    assert "There are no clips that both have heard." in html
    assert "It was never measured on the clips" in html
    assert "Never measured on a test set." in html


def test_putting_into_service(client: Client, curator: User, better: ModelVersion) -> None:
    client.force_login(curator)
    path = reverse("training:version-promote", args=[better.pk])
    assert client.get(path)["Location"] == reverse("training:version", args=[better.pk])
    assert in_service() == "champion"
    without = client.post(path, {"reason": " "})
    assert (without.status_code, in_service()) == (422, "champion")
    assert "Say why." in without.content.decode()
    done = client.post(path, {"reason": "It finds more rock."})
    assert (done.status_code, done["Location"], in_service()) == (302, ALL, "better")
    assert Promotion.objects.get().by == curator


def test_a_closed_gate_is_passed_only_on_purpose(client: Client, curator: User, worse: ModelVersion) -> None:
    client.force_login(curator)
    path = reverse("training:version-promote", args=[worse.pk])
    refused = client.post(path, {"reason": "For a day."})
    assert (refused.status_code, in_service()) == (409, "champion")
    assert 'value="For a day."' in refused.content.decode()
    assert client.post(path, {"reason": "For a day.", "override": "1"}).status_code == 302
    assert in_service() == "worse"
    assert "The gate was overridden: worse on the whole, loses rock." in client.get(ALL).content.decode()


@pytest.mark.slow
def test_going_back(client: Client, curator: User, better: ModelVersion) -> None:
    client.force_login(curator)
    assert "nothing to go back to" in client.get(f"{ALL}rollback/").content.decode()
    promote(version=better, by=curator, reason="Better.")
    dialog = client.get(f"{ALL}rollback/", headers={"HX-Request": "true"}).content.decode()
    assert "Go back to champion?" in dialog
    assert "<html" not in dialog
    without = client.post(f"{ALL}rollback/", {})
    assert (without.status_code, in_service()) == (422, "better")
    assert client.post(f"{ALL}rollback/", {"reason": "Complaints."}).status_code == 302
    assert in_service() == "champion"
    assert "Back to champion" in client.get(ALL).content.decode()


@pytest.mark.slow
def test_a_bundle_comes_in(client: Client, curator: User, better: ModelVersion) -> None:
    client.force_login(curator)
    content = b"".join(client.get(reverse("training:version-bundle", args=[better.pk])).streaming_content)  # type: ignore[attr-defined]
    assert content.startswith(b"PK")
    ModelVersion.objects.update(sha256="0" * 64)
    file = SimpleUploadedFile("bundle.zip", content)
    done = client.post(f"{ALL}import/", {"file": file})
    imported = ModelVersion.objects.get(source="imported")
    assert (done.status_code, done["Location"]) == (302, reverse("training:version", args=[imported.pk]))
    assert imported.added_by == curator
    assert in_service() == "champion"


def test_a_bad_bundle_is_refused_where_it_was_chosen(client: Client, curator: User) -> None:
    client.force_login(curator)
    for body, said in (
        ({}, "Choose a bundle first."),
        ({"file": SimpleUploadedFile("x.zip", b"RIFF")}, "This is no ZIP archive"),
    ):
        response = client.post(f"{ALL}import/", body)
        assert response.status_code == 422
        assert said in response.content.decode()
    assert not ModelVersion.objects.exists()


def test_a_damaged_version_is_said_to_be(
    page: Callable[[str], str],
    client: Client,
    champion: ModelVersion,
    better: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.setattr(registry, "_failed", None)
    registry.in_service()
    put_into_service(better)
    damage(better)
    assert registry.in_service().version == champion
    for path in (ALL, reverse("training:version", args=[better.pk])):
        assert "better is in service, but its files cannot be loaded." in page(path)
    refused = client.get(reverse("training:version-bundle", args=[better.pk]))
    assert refused.status_code == 409
    assert "cannot be taken along" in refused.content.decode()
