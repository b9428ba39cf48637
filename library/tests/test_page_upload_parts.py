"""Large files from the page: sent in parts by tus with the page's session, and answered with a row."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from genreweb.accounts.models import User
from library.models import ResumableUpload, Track
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db
API = "/api/v1/uploads/resumable/"
TUS = {"Tus-Resumable": "1.0.0", "Accept": "application/json"}


def settings_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="upload-settings" type="application/json">(.*?)</script>', page)
    assert found
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def answer_of(client: Client, address: str) -> Any:
    return client.get(address, headers={"Accept": "application/json"})


@pytest.mark.slow
def test_a_session_sends_parts_and_gets_the_row(owner: User, other: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    page = client.get("/").content.decode()
    config = settings_of(page)["resumable"]
    assert config["url"] == API
    csrf = {"X-CSRFToken": client.cookies["csrftoken"].value}
    sound = wav(chords(seed=5))

    def send(content: bytes) -> tuple[Any, str]:
        length = {"Upload-Length": str(len(content))}
        # Another site's page has the cookie of the session, but not the token.
        assert client.post(API, headers={**TUS, **length}).status_code == 403
        made = client.post(API, headers={**TUS, **csrf, **length})
        assert made.status_code == 201
        row = config["answer"].replace(config["id"], made.headers["Location"].rstrip("/").split("/")[-1])
        assert answer_of(client, row).status_code == 202
        sent = client.patch(
            made.headers["Location"],
            content,
            content_type="application/offset+octet-stream",
            headers={**TUS, **csrf, "Upload-Offset": "0"},
        )
        return sent, row

    sent, row = send(sound)
    assert sent.status_code == 204
    taken = answer_of(client, row)
    track = Track.objects.get()
    assert (taken.status_code, taken.json()["id"], taken.json()["duplicate"]) == (201, str(track.pk), False)
    assert f'id="upload-{track.pk}"' in taken.json()["row"]
    # The same file again leads to the track that is there.
    _sent, again = send(sound)
    assert (answer_of(client, again).status_code, answer_of(client, again).json()["duplicate"]) == (200, True)
    assert "You already have this one." in answer_of(client, again).json()["row"]
    # What is no music is refused in words, and nothing of it is kept.
    refused, gone = send(b"no music " * 999)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "not_audio")
    assert "audio" in refused.json()["error"]["message"]
    assert answer_of(client, gone).status_code == 404
    assert ResumableUpload.objects.count() == 2
    # Somebody else's is not there, and who is signed out is told so.
    stranger = Client()
    stranger.force_login(other)
    assert answer_of(stranger, row).status_code == 404
    assert answer_of(Client(), row).json()["error"]["code"] == "not_authenticated"
