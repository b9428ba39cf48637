"""POST /api/v1/classify/: a label in one call, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from celery.contrib.testing.worker import start_worker
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from classifier.models import ModelVersion
from genreweb.celery import app as celery_app
from library.models import Track
from library.services import classify
from library.services.waiting import Places
from library.tests.conftest import LABELS
from library.tests.sounds import chords, encoded, silence, wav

CLASSIFY = "/api/v1/classify/"
Stored = Callable[[], list[str]]


def upload(data: bytes, name: str = "song.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


@pytest.fixture
def worker(transactional_db: None, classifier_in_service: ModelVersion) -> Iterator[None]:
    """Run a real worker in a thread of this process, which shares the files in memory."""
    with start_worker(celery_app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_a_sound_gets_its_label_and_is_not_kept(client: Client, stored: Stored) -> None:
    for sound, name in ((wav(chords(4)), "song.wav"), (encoded("mp3", "libmp3lame"), "../../x.mp3")):
        response = client.post(CLASSIFY, {"file": upload(sound, name)})
        assert response.status_code == 200, response.json()
        body = response.json()
        assert set(body) == {
            *("label", "confidence", "unsure", "probabilities", "model_version"),
            *("style", "reason", "tags", "tag_version", "duration", "expected_duration", "damaged"),
        }
        assert bool(body["tags"]) is (body["tag_version"] is not None)
        assert list(body["probabilities"]) == LABELS
        assert sum(body["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert body["confidence"] == pytest.approx(max(body["probabilities"].values()))
        assert body["model_version"] == ModelVersion.objects.get().name
        assert body["duration"] == pytest.approx(3.5, abs=0.6)
        assert (body["expected_duration"], body["damaged"]) == (None, False)
    whole = wav(chords(4))
    cut = client.post(CLASSIFY, {"file": upload(whole[: len(whole) // 2])}).json()
    assert cut["duration"] == pytest.approx(2, abs=0.01)
    assert (cut["expected_duration"], cut["damaged"]) == (pytest.approx(4, abs=0.01), False)
    nothing = client.post(CLASSIFY, {"file": upload(silence())}).json()
    assert (nothing["label"], nothing["unsure"]) == (None, True)
    assert (Track.objects.count(), stored()) == (0, [])


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "song.wav", "empty"),
        (b"only words " * 1000, "song.mp3", "not_audio"),
        (wav(chords(0.4)), "song.wav", "too_short"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "song.m3u8", "not_audio"),
    ],
)
@pytest.mark.usefixtures("db")
def test_bad_files_are_refused_and_not_kept(
    client: Client, stored: Stored, data: bytes, name: str, code: str
) -> None:
    response = client.post(CLASSIFY, {"file": upload(data, name)})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == code
    assert stored() == []


def test_a_file_too_large_is_refused_and_not_kept(
    client: Client, db: None, stored: Stored, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES = 1000
    response = client.post(CLASSIFY, {"file": upload(wav())})
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert stored() == []


def test_without_an_account_a_sound_must_be_smaller_and_shorter(
    client: Client, owner_api: APIClient, stored: Stored, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "WAIT_SECONDS", 0.1)
    settings.AUDIO_ANONYMOUS_MAX_SECONDS = 3
    long = wav(chords(6))
    for name, code, status in (
        ("AUDIO_MAX_BYTES", "too_long", 400),
        ("AUDIO_ANONYMOUS_MAX_BYTES", "too_large", 413),
    ):
        setattr(settings, name, len(long) - (name != "AUDIO_MAX_BYTES"))
        refused = client.post(CLASSIFY, {"file": upload(long)})
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
        # With one it goes on to the worker that is not there.
        taken = owner_api.post(CLASSIFY, {"file": upload(long)}, format="multipart")
        assert (taken.status_code, taken.json()["error"]["code"]) == (503, "busy")
    assert stored() == []


def test_a_sound_whose_head_hides_its_length_is_too_long_for_the_worker_as_well(
    classifier_in_service: ModelVersion, settings: Settings
) -> None:
    settings.AUDIO_ANONYMOUS_MAX_SECONDS = 3
    name = default_storage.save("scratch/song.wav", ContentFile(wav(chords(6))))
    assert classify.answer(name=name, anonymous=True)["error"]["code"] == "too_long"
    assert "error" not in classify.answer(name=name)


def test_one_address_may_let_only_some_requests_wait(
    client: Client, owner_api: APIClient, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(classify, "_places", places := Places(3, per_caller=2))
    with places.place("address 127.0.0.1"), places.place("address 127.0.0.1"):
        # A file that would be refused is not even looked at.
        refused = client.post(CLASSIFY, {"file": upload(b"only words")})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        assert int(refused["Retry-After"]) > 0
        person = owner_api.post(CLASSIFY, {"file": upload(b"only words")}, format="multipart")
        assert (person.status_code, person.json()["error"]["code"]) == (400, "not_audio")
        with places.place("address 192.0.2.7"):
            person = owner_api.post(CLASSIFY, {"file": upload(b"only words")}, format="multipart")
            assert (person.status_code, person.json()["error"]["code"]) == (503, "busy")
    again = client.post(CLASSIFY, {"file": upload(b"only words")})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "not_audio")
    assert stored() == []


def test_a_missing_file_is_named(client: Client, db: None) -> None:
    response = client.post(CLASSIFY, {})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["file"]


def test_without_a_worker_the_site_says_that_it_is_busy(
    client: Client, db: None, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "WAIT_SECONDS", 0.2)
    response = client.post(CLASSIFY, {"file": upload(wav())})
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response.json()["error"]["code"] == "busy"
    assert stored() == []


def test_a_site_may_ask_for_an_account(client: Client, owner_api: APIClient, settings: Settings) -> None:
    settings.API_ANONYMOUS_CLASSIFY = False
    assert client.post(CLASSIFY, {"file": upload(wav())}).status_code == 401
    known = owner_api.post(CLASSIFY, {"file": upload(b"")}, format="multipart")
    assert (known.status_code, known.json()["error"]["code"]) == (400, "empty")
