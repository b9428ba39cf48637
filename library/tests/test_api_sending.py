"""Sending tracks as programs do: the file as the whole body, and the same request twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from genreweb.accounts.models import ApiToken, IdempotencyKey, User
from library.models import Track
from library.tests.sounds import chords, wav

TRACKS = "/api/v1/tracks/"
Stored = Callable[[], list[str]]


def raw(
    client: APIClient, body: bytes, address: str = TRACKS, kind: str = "audio/wav", **headers: str
) -> Any:
    sender: Any = client
    return sender.generic("POST", address, body, content_type=kind, headers=headers)


# --- the whole body --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["audio/wav", "audio/x-anything", "application/octet-stream"])
def test_a_body_that_is_the_file(owner_api: APIClient, owner: User, kind: str) -> None:
    sent = raw(owner_api, wav(), f"{TRACKS}?name=My_Song.wav&source=recording", kind)
    assert sent.status_code == 202
    track = Track.objects.get()
    assert (track.owner, track.title, track.original_name) == (owner, "My Song", "My_Song.wav")
    assert track.source == "recording"
    with track.sound.open() as file:
        assert file.read() == wav()
    # The same file in a form is the same track.
    form = owner_api.post(TRACKS, {"file": SimpleUploadedFile("x.wav", wav())}, format="multipart")
    assert (form.status_code, form.json()["duplicate"]) == (200, True)


def test_the_temporary_file_of_such_a_body_is_closed(owner_api: APIClient, settings: Settings) -> None:
    settings.FILE_UPLOAD_HANDLERS = ["temporary"]
    made: list[TemporaryUploadedFile] = []

    class Handler(TemporaryFileUploadHandler):
        def file_complete(self, file_size: int) -> Any:
            made.append(super().file_complete(file_size))  # type: ignore[arg-type]
            return made[-1]

    with patch("django.core.files.uploadhandler.load_handler", lambda _path, request: Handler(request)):
        sent = raw(owner_api, wav(), f"{TRACKS}?name=a.wav")
    assert sent.status_code == 202, sent.content
    (file,) = made
    assert file.closed
    # What Django's own `close` does not close again is not removed twice when it is collected.
    assert file.file._closer.close_called  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "disposition", "name"),
    [
        ("", 'attachment; filename="a b.wav"', "a b.wav"),
        ("", "attachment; filename*=UTF-8''%EB%85%B8%EB%9E%98.wav", "노래.wav"),
        ("?name=%2Fetc%2Fpasswd", "", "passwd"),
        ("?name=..", "", "untitled"),
        ("?name=a%2F", "", "untitled"),
        ("", "", "untitled"),
    ],
)
def test_the_name_of_such_a_file(owner_api: APIClient, query: str, disposition: str, name: str) -> None:
    headers = {"Content-Disposition": disposition} if disposition else {}
    sent = raw(owner_api, wav(), f"{TRACKS}{query}", **headers)
    assert sent.status_code == 202, sent.content
    assert Track.objects.get().original_name == name


def test_what_is_no_sound_is_refused_as_in_a_form(
    owner_api: APIClient, stored: Stored, settings: Settings
) -> None:
    refused = raw(owner_api, b"not a sound" * 100)
    assert (refused.status_code, refused.json()["code"]) == (400, "not_audio")
    assert raw(owner_api, wav(), f"{TRACKS}?source=catalogue").json()["fields"].keys() == {"source"}
    assert raw(owner_api, wav(), f"{TRACKS}?nam=x").json()["code"] == "unknown_parameter"
    assert raw(owner_api, wav(), kind="text/plain").status_code == 415
    settings.AUDIO_MAX_BYTES = 10_000
    large = raw(owner_api, wav(chords(10)))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    assert raw(APIClient(), wav()).status_code == 401
    assert not Track.objects.exists()
    assert stored() == []


@pytest.mark.parametrize("kind", ["audio/wav", "audio/mpeg; x=y", "application/octet-stream"])
def test_an_empty_body_is_called_empty(owner_api: APIClient, kind: str) -> None:
    sender: Any = owner_api
    # Of an empty body the test client leaves the type out, which programs send.
    for language, sentence in (
        ("en", "The body of the request is empty."),
        ("ko", "요청 본문이 비어 있습니다."),
    ):
        sent = sender.generic(
            "POST", TRACKS, b"", CONTENT_TYPE=kind, CONTENT_LENGTH="0", headers={"Accept-Language": language}
        )
        assert (sent.status_code, sent.json()["fields"]) == (400, {"file": [sentence]})
    # A form without a file is not an empty body.
    form = owner_api.post(TRACKS, {"title": "x"}, format="multipart")
    assert form.json()["fields"] == {"file": ["No file was submitted."]}
    assert not Track.objects.exists()


# --- twice -----------------------------------------------------------------------------------------------
def test_an_upload_sent_again_gets_the_same_answer(owner_api: APIClient, owner: User) -> None:
    def send(data: bytes, title: str = "x", key: str = "one") -> Any:
        form = {"file": SimpleUploadedFile("x.wav", data), "title": title}
        return owner_api.post(TRACKS, form, format="multipart", headers={"Idempotency-Key": key})

    first = send(wav())
    # Without the key it would be told from the first: as a duplicate, with 200.
    again = send(wav())
    assert (again.status_code, again.content) == (first.status_code, first.content) == (202, first.content)
    assert again["Location"] == first["Location"]
    assert again["Idempotency-Replayed"] == "true"
    for other in (send(wav(chords(4))), send(wav(), title="y")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Track.objects.count() == 1
    refused = send(b"nothing", key="two")
    assert refused.status_code == 400
    assert send(wav(chords(4)), key="two").status_code == 202
    assert IdempotencyKey.objects.filter(user=owner).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_double_click_makes_one_row() -> None:
    owner = User.objects.create_user("owner@example.org")
    _row, secret = ApiToken.objects.create(user=owner)
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "click"}
    together, answers = threading.Barrier(4), []

    def click() -> None:
        try:
            together.wait(30)
            file = SimpleUploadedFile("x.wav", wav())
            answers.append(Client().post(TRACKS, {"file": file}, headers=headers))
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Track.objects.count() == IdempotencyKey.objects.count() == 1
    assert len(answers) == 4
    # Each got the one answer, or was told that the first is being worked on.
    assert {answer.status_code for answer in answers} <= {202, 409}
    made = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in made}) == 1
    assert sum(not answer.has_header("Idempotency-Replayed") for answer in made) == 1
