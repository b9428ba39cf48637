"""Copies with genre and mood in their tags: what they hold, for whom, and that what is stored stays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import mutagen
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from rest_framework.test import APIClient

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Api
from library.tests.sounds import encoded, wav

TAGS = {"happy": 0.97, "mellow": 0.2}
Make = Callable[..., Track]


@pytest.fixture
def song(done_track: Make, genres: dict[str, Genre]) -> Make:
    """Make a track with a real file."""

    def make(owner: User | None, sound: bytes, name: str, **fields: Any) -> Track:
        track = done_track(owner, tags=TAGS, key="Eb minor", original_name=name, **fields)
        default_storage.delete(str(track.sound.name))
        track.sound.save(name, ContentFile(sound), save=False)
        track.size = len(sound)
        track.save(update_fields=["sound", "size"])
        return track

    return make


def stored(track: Track) -> bytes:
    with default_storage.open(str(track.sound.name)) as file:
        return bytes(file.read())


def body(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


@pytest.mark.slow
def test_a_copy_has_what_was_heard_and_the_original_stays(
    song: Make, owner: User, owner_api: APIClient
) -> None:
    sound = encoded("flac", "flac")
    track = song(owner, sound, "My song.flac", genre="hiphop", artist="Somebody")
    address = f"/api/v1/tracks/{track.pk}/tagged/"
    preview = owner_api.get(f"{address}preview/?field=genre&field=title").json()
    assert preview == [
        {"field": "genre", "before": [], "after": ["Hip-hop"], "changes": True},
        {"field": "title", "before": [], "after": ["Song"], "changes": True},
    ]
    response = owner_api.get(address, headers={"Accept": "audio/flac"})
    assert 'filename="My song.flac"' in response["Content-Disposition"]
    assert response["Content-Type"] == "audio/flac"
    tags = mutagen.File(io.BytesIO(body(response))).tags
    assert (tags["genre"], tags["mood"]) == (["Hip-hop"], ["Happy"])
    assert "title" not in tags
    more = mutagen.File(io.BytesIO(body(owner_api.get(f"{address}?field=key&field=artist")))).tags
    assert (more["initialkey"], more["artist"], "genre" in more) == (["Ebm"], ["Somebody"], False)
    assert stored(track) == sound


def test_what_is_unsure_is_not_written(song: Make, owner: User, owner_api: APIClient) -> None:
    unsure = song(owner, wav(), "a.wav", unsure=True)
    tags = mutagen.File(io.BytesIO(body(owner_api.get(f"/api/v1/tracks/{unsure.pk}/tagged/")))).tags
    assert (tags.getall("TCON"), tags["TMOO"].text) == ([], ["Happy"])
    other_style = song(owner, wav(), "b.wav", style="house")
    tags = mutagen.File(io.BytesIO(body(owner_api.get(f"/api/v1/tracks/{other_style.pk}/tagged/")))).tags
    assert tags["TCON"].text == ["House"]


@pytest.mark.slow
@pytest.mark.usefixtures("owner")
def test_only_ones_own_and_public_tracks(
    song: Make, other: User, api: Api, owner_api: APIClient, genres: dict[str, Genre]
) -> None:
    public = song(None, encoded("mp3", "libmp3lame"), "place.mp3", title="A/B", labelled_genre=genres["rock"])
    private = song(other, wav(), "x.wav")
    client = Client()
    copy = client.get(f"/api/v1/tracks/{public.pk}/tagged/")
    assert "place" not in copy["Content-Disposition"]
    assert mutagen.File(io.BytesIO(body(copy))).tags["TCON"].text == ["Rock"]
    for place in ("tagged", "tagged/preview"):
        assert owner_api.get(f"/api/v1/tracks/{private.pk}/{place}/").status_code == 404
        assert api(other).get(f"/api/v1/tracks/{private.pk}/{place}/?field=lyrics").status_code == 400
    assert client.get(f"/tracks/{private.pk}/tagged/").status_code == 404
    assert client.get(f"/tracks/{private.pk}/tagged/file/").status_code == 404


@pytest.mark.slow
def test_what_cannot_be_tagged_is_said(song: Make, owner: User, owner_api: APIClient, client: Client) -> None:
    nothing = song(owner, b"no sound at all " * 9, "notes.webm")
    gone = song(owner, wav(), "gone.wav")
    default_storage.delete(str(gone.sound.name))
    for track, code in ((nothing, "tags_unsupported"), (gone, "file_missing")):
        refused = owner_api.get(f"/api/v1/tracks/{track.pk}/tagged/")
        assert (refused.status_code // 100 in (4, 5), refused.json()["error"]["code"]) == (True, code)
    client.force_login(owner)
    page = client.get(f"/tracks/{nothing.pk}/tagged/")
    assert page.status_code == 409
    assert "have no tags" in page.content.decode()
    assert client.get(f"/tracks/{nothing.pk}/tagged/file/").status_code == 302


@pytest.mark.slow
def test_many_come_as_an_archive(
    song: Make, owner: User, other: User, owner_api: APIClient, client: Client
) -> None:
    first = song(owner, wav(), "same.wav", title="A")
    second = song(owner, wav(), "../same.wav", title="B", genre="jazz")
    song(owner, b"nothing", "bad.webm", title="C")
    secret = song(other, wav(), "secret.wav")
    archive = zipfile.ZipFile(io.BytesIO(body(owner_api.get("/api/v1/tracks/export/tagged/?field=genre"))))
    assert archive.namelist() == ["same.wav", "same (2).wav", "left out.txt"]
    assert archive.testzip() is None
    assert "bad.webm: " in archive.read("left out.txt").decode()
    found = [
        mutagen.File(io.BytesIO(archive.read(name))).tags["TCON"].text for name in archive.namelist()[:2]
    ]
    assert found == [["Blues"], ["Jazz"]]
    assert stored(first) == stored(second) == wav()
    assert client.get("/api/v1/tracks/export/tagged/").status_code == 401
    assert client.post("/tracks/tagged.zip", {"track": [first.pk]}).status_code == 302
    client.force_login(owner)
    chosen = zipfile.ZipFile(
        io.BytesIO(body(client.post("/tracks/tagged.zip", {"track": [second.pk, secret.pk]})))
    )
    assert chosen.namelist() == ["same.wav"]
    assert client.post("/tracks/tagged.zip", {"track": [secret.pk]})["Location"] == "/tracks/"


@pytest.mark.slow
def test_the_page_shows_what_changes(song: Make, owner: User, client: Client) -> None:
    track = song(owner, wav(), "a.wav", title="<b>Title")
    client.force_login(owner)
    assert f'href="/tracks/{track.pk}/tagged/"' in client.get(f"/tracks/{track.pk}/").content.decode()
    html = client.get(f"/tracks/{track.pk}/tagged/").content.decode()
    assert "<strong>Blues</strong>" in html
    assert "<strong>&lt;b&gt;Title</strong>" in html
    assert 'value="genre" checked' in html
    assert 'value="album" disabled' in html
    copy = client.get(f"/tracks/{track.pk}/tagged/file/?field=title&field=nonsense")
    # Not as the tables of the machine have it, which differ.
    assert copy["Content-Type"] == "audio/wav"
    assert mutagen.File(io.BytesIO(body(copy))).tags["TIT2"].text == ["<b>Title"]
