"""GET /api/v1/tracks/{id}/pictures/: links that anybody may follow for a while, and nobody can guess."""

from __future__ import annotations

import io
from collections.abc import Callable

from django.test import Client
from PIL import Image
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Track
from library.tests.sounds import chords, wav

Make = Callable[..., Track]


def test_every_link_leads_to_its_file(
    owner_api: APIClient, owner: User, finished_track: Make, client: Client
) -> None:
    sound = wav(chords(seed=5))
    track = finished_track(owner, sound=sound)
    body = owner_api.get(f"/api/v1/tracks/{track.pk}/pictures/").json()
    answer = client.get(body["sound"])
    assert b"".join(answer.streaming_content) == sound  # type: ignore[attr-defined]
    assert body["playable"] == body["sound"]
    for name in ("spectrogram", "mel", "chroma", "mfcc"):
        picture = client.get(body[name])
        assert picture["Content-Type"].startswith("image/")
        image = Image.open(io.BytesIO(b"".join(picture.streaming_content)))  # type: ignore[attr-defined]
        assert image.width > image.height
        assert len(body["ticks"][name]) > 1
    assert len(body["peaks"]) % 2 == 0
    assert min(body["peaks"]) >= -127
    assert max(map(abs, body["peaks"])) == 127
    assert client.get(body["sound"][:-2]).status_code == 404


def test_before_the_analysis_there_is_the_sound_alone(
    owner_api: APIClient, owner: User, queued_track: Make
) -> None:
    body = owner_api.get(f"/api/v1/tracks/{queued_track(owner).pk}/pictures/").json()
    assert body["sound"].startswith("http://testserver/media/")
    assert {body[name] for name in ("spectrogram", "mel", "chroma", "mfcc", "peaks", "ticks")} == {None}
