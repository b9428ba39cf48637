"""Tags of files fill what nobody has said, are shown and searched, and are the owner's to change."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from classifier.tests.id3 import cover, frame, id3v2
from genreweb.accounts import archive, personal_data
from genreweb.accounts.models import User
from library.models import Track
from library.services.analysis import analyse_track
from library.services.tracks import add_track
from library.tests.sounds import encoded

Make = Callable[..., Track]
Stored = Callable[[], list[str]]
MP3 = encoded("mp3", "libmp3lame")
TAGS = (
    frame("TIT2", b"\0" + "봄날".encode("cp949")),
    frame("TPE1", b"\1" + "Bj\u00f6rk\u202e\x07".encode("utf-16")),
    frame("TALB", b"\3You Never\0Walk Alone"),
    frame("TYER", b"\x002017"),
    frame("TCON", b"\3Rock"),
    frame("APIC", b"\0image/png\0\3\0" + cover("PNG", (600, 600))),
)


def send(owner: User, *frames: bytes, name: str = "01_track.mp3", title: str = "") -> Track:
    return add_track(owner=owner, file=ContentFile(id3v2(*frames) + MP3), name=name, title=title).track


def analysed(track: Track) -> Track:
    assert analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert track.status == Track.Status.DONE
    return track


@pytest.fixture
def tagged(owner: User, classifier_in_service: object) -> Track:
    return analysed(send(owner, *TAGS))


def words(track: Track) -> tuple[Any, ...]:
    return track.title, track.artist, track.album, track.year, track.tagged_genre


def test_the_worker_reads_the_tags(tagged: Track, stored: Stored) -> None:
    assert words(tagged) == ("봄날", "Björk", "You Never", 2017, "Rock")
    assert tagged.labelled_genre is None
    assert tagged.cover.name in stored()
    with default_storage.open(str(tagged.cover.name)) as file:
        assert file.read(12)[8:] == b"WEBP"


def test_what_somebody_said_stays(owner: User, classifier_in_service: object) -> None:
    track = send(owner, *TAGS, title="Mine")
    Track.objects.filter(pk=track.pk).update(artist="Me")
    assert words(analysed(track)) == ("Mine", "Me", "You Never", 2017, "Rock")


def test_tags_are_read_once(tagged: Track, stored: Stored) -> None:
    files = len(stored())
    Track.objects.filter(pk=tagged.pk).update(album="", status=Track.Status.QUEUED)
    assert analysed(tagged).album == ""
    assert [name for name in stored() if name.startswith("covers/")] == [tagged.cover.name]
    assert len(stored()) > files


def test_a_file_without_tags_keeps_its_name(owner: User, classifier_in_service: object) -> None:
    track = analysed(send(owner))
    assert words(track) == ("01 track", "", "", None, "")
    assert (track.file_tags, track.cover.name) == ({}, "")


def test_a_lost_claim_leaves_no_cover(
    owner: User, classifier_in_service: object, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = send(owner, *TAGS)
    before = stored()

    def taken(*_args: object) -> dict[str, object]:
        Track.objects.filter(pk=track.pk).update(attempt=7)
        return {}

    monkeypatch.setattr("library.services.analysis.tag_columns", taken)
    assert not analyse_track(track_id=track.pk)
    assert stored() == before


@pytest.mark.slow
def test_pages_show_and_find_them(client: Client, owner: User, tagged: Track) -> None:
    client.force_login(owner)
    page = client.get(f"/tracks/{tagged.pk}/").content.decode()
    for shown in ("봄날", "Björk", "You Never", "2017", str(tagged.cover.url), "Rock"):
        assert shown in page
    for word in ("봄날", "björk", "never", "2017", "rock"):
        assert "You Never" in client.get("/tracks/", {"q": word}).content.decode(), word
    assert "You Never" not in client.get("/tracks/", {"q": "2018"}).content.decode()
    Track.objects.filter(pk=tagged.pk).update(visibility=Track.Visibility.CATALOGUE)
    found = client.get("/catalogue/", {"q": "never 2017"}).content.decode()
    assert str(tagged.cover.url) in found
    assert "You Never" not in client.get("/catalogue/", {"q": "2016"}).content.decode()


def test_a_page_that_waits_gets_the_new_title(client: Client, owner: User, tagged: Track) -> None:
    client.force_login(owner)
    result = client.get(f"/tracks/{tagged.pk}/result/").content.decode()
    assert '<h1 id="track-title" class="track-title" hx-swap-oob="true">봄날</h1>' in result


@pytest.mark.slow
def test_the_api_shows_and_finds_them(owner_api: APIClient, tagged: Track) -> None:
    (shown,) = owner_api.get("/api/v1/tracks/").json()["results"]
    assert (shown["artist"], shown["album"], shown["year"], shown["tagged_genre"]) == (
        *("Björk", "You Never", 2017, "Rock"),
    )
    assert shown["cover"].endswith(tagged.cover.url)
    for query, count in (
        ({"artist": "BJÖR"}, 1),
        ({"album": "nothing"}, 0),
        ({"year": "2017"}, 1),
        ({"year": "2016"}, 0),
        ({"search": "never 2017 rock"}, 1),
    ):
        assert owner_api.get("/api/v1/tracks/", query).json()["count"] == count, query
    for year in ("20171", "2017.5", "x", "NaN"):
        assert owner_api.get("/api/v1/tracks/", {"year": year}).status_code == 400, year


def test_the_owner_changes_them_through_the_api(
    owner_api: APIClient, tagged: Track, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    address, cover_key = f"/api/v1/tracks/{tagged.pk}/", str(tagged.cover.name)
    answer = owner_api.patch(address, {"artist": " A\nB ", "year": None, "tagged_genre": ""}, format="json")
    assert answer.status_code == 200, answer.json()
    tagged.refresh_from_db()
    assert words(tagged) == ("봄날", "A B", "You Never", None, "")
    for bad in ({"year": 99}, {"year": "x"}, {"artist": "x" * 201}, {"album": None}, {"cover": "x"}, {}):
        assert owner_api.patch(address, bad, format="json").status_code == 400, bad
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_api.patch(address, {"cover": None}, format="json").json()["cover"] is None
    assert not default_storage.exists(cover_key)
    tagged.refresh_from_db()
    assert words(tagged) == ("봄날", "A B", "You Never", None, "")


def test_the_owner_changes_them_on_a_page(client: Client, owner: User, other: User, tagged: Track) -> None:
    address = f"/tracks/{tagged.pk}/edit/"
    given = {
        "title": "T",
        "artist": "A",
        "album": "",
        "year": "1999",
        "tagged_genre": "G",
        "remove_cover": "on",
    }
    client.force_login(other)
    assert client.get(address).status_code == client.post(address, given).status_code == 404
    client.force_login(owner)
    assert 'value="You Never"' in client.get(address).content.decode()
    assert client.post(address, {**given, "year": "99999"}).status_code == 422
    assert client.post(address, {**given, "title": " \u200b"}).status_code == 422
    tagged.refresh_from_db()
    assert tagged.title == "봄날"
    assert client.post(address, given).status_code == 302
    tagged.refresh_from_db()
    assert (*words(tagged), tagged.cover.name) == ("T", "A", "", 1999, "G", "")


@pytest.mark.usefixtures("no_bin")
def test_the_cover_goes_with_the_track_and_into_the_export(
    owner_api: APIClient,
    owner: User,
    tagged: Track,
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with ZipFile(io.BytesIO(b"".join(archive.stream(personal_data.export(owner))))) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    (data,) = (json.loads(content) for name, content in files.items() if name.endswith("track.json"))
    assert (data["album"], data["year"], data["file_tags"]["title"]) == ("You Never", 2017, "봄날")
    assert any(name.endswith("/cover.webp") for name in files)
    with django_capture_on_commit_callbacks(execute=True):
        owner_api.delete(f"/api/v1/tracks/{tagged.pk}/")
    assert stored() == []
