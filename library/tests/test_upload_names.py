"""Uploads with the names that files really have, and with bodies that cannot be read."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Track
from library.tests.sounds import wav

TRACKS = "/api/v1/tracks/"
FORM = "multipart/form-data; boundary=xx"


def post(client: Any, address: str, body: bytes, **headers: str) -> Any:
    """Send a body as it is."""
    return client.generic("POST", address, body, content_type=FORM, headers=headers)


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """Make a form of parts, each of a Content-Disposition and a content, as any program may write them."""
    return (
        b"".join(
            b"--xx\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"
            for head, content in parts
        )
        + b"--xx--\r\n"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("봄날.wav".encode("cp949"), "봄날"),
        ("さくら.wav".encode("cp932"), "さくら"),
        # Its second byte is a backslash.
        ("ソナタさくら.wav".encode("cp932"), "ソナタさくら"),
        ("Größe.wav".encode("latin-1"), "Größe"),
        ("Группа крови.wav".encode("cp1251"), "Группа крови"),
        ("봄날.wav".encode(), "봄날"),
        (b"\xff\xfe.wav", None),
        (b"..", "untitled"),
        (b".", "untitled"),
        (b"music/..", "untitled"),
        (b"&#46;&#46;", "untitled"),
    ],
)
def test_any_name_is_taken(owner_api: APIClient, name: bytes, shown: str | None) -> None:
    body = form(
        (b'name="file"; filename="' + name + b'"', wav()),
        (b'name="source"', b"recording"),
    )
    response = post(owner_api, TRACKS, body)
    assert response.status_code == 202, response.json()
    track = Track.objects.get()
    assert track.source == "recording"
    assert shown is None or track.title == shown


def test_the_page_takes_any_name(client: Client, owner: User) -> None:
    client.force_login(owner)
    body = form((b'name="file"; filename="' + "봄날.wav".encode("cp949") + b'"', wav()))
    answer = post(client, "/upload/", body, Accept="application/json")
    assert answer.status_code == 201
    assert Track.objects.get().title == "봄날"


def test_parts_that_mean_nothing_are_skipped_to_their_end(owner_api: APIClient) -> None:
    body = form(
        (b"filename=nameless", b"y" * 100_000),
        (b'name="note"; x="\xff"', b"z" * 100_000),
        (b'name="file"; filename="song.wav"', wav()),
    )
    response = post(owner_api, TRACKS, body)
    assert response.status_code == 202, response.json()
    assert Track.objects.get().title == "song"


def test_a_head_that_is_too_large_is_still_refused(owner_api: APIClient) -> None:
    body = form((b'name="file"; filename="' + b"a" * 20_000 + b'"', wav()))
    response = post(owner_api, TRACKS, body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "parse_error")
    assert not Track.objects.exists()


def test_a_compressed_body_is_told_so(owner_api: APIClient, client: Client, owner: User) -> None:
    body = gzip.compress(form((b'name="file"; filename="song.wav"', wav())))
    response = post(owner_api, TRACKS, body, **{"Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert response["Accept-Encoding"] == "identity"
    error = json.loads(response.content)["error"]
    assert error["code"] == "unsupported_content_encoding"
    assert "gzip" in error["message"]
    client.force_login(owner)
    page = post(client, "/upload/", body, **{"Content-Encoding": "GZIP"})
    assert (page.status_code, page["Content-Type"]) == (415, "text/plain; charset=utf-8")
    assert not Track.objects.exists()
    plain = form((b'name="file"; filename="song.wav"', wav()))
    taken = post(owner_api, TRACKS, plain, **{"Content-Encoding": "identity"})
    assert taken.status_code == 202
