"""Upload and analysis with files in an S3 bucket, where nothing may need a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import cast
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from moto.server import ThreadedMotoServer
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.services import classify
from library.services.analysis import analyse_track
from library.services.tidying import tidy
from library.services.tracks import delete_tracks
from library.tests.sounds import chords, encoded, wav
from library.tests.storages import stored_names

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.usefixtures("bucket", "classifier_in_service"),
]

TRACKS = "/api/v1/tracks/"
BUCKET, ACCESS = "genreweb", {"access_key": "someone", "secret_key": "something", "region_name": "us-east-1"}


def files_of_tracks() -> list[str]:
    """Everything that is stored but the files of classifiers."""
    return [name for name in stored_names(default_storage) if not name.startswith("versions/")]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, settings: Settings) -> None:
    """Keep files in an empty bucket."""
    requests.post(f"{server}/moto-api/reset", timeout=10)
    boto3.client(
        "s3",
        endpoint_url=server,
        aws_access_key_id=ACCESS["access_key"],
        aws_secret_access_key=ACCESS["secret_key"],
        region_name=ACCESS["region_name"],
    ).create_bucket(Bucket=BUCKET)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.bucket.BucketStorage",
            "OPTIONS": {
                **ACCESS,
                "bucket_name": BUCKET,
                "endpoint_url": server,
                "addressing_style": "path",
                "querystring_expire": 3600,
                "file_overwrite": True,
            },
        },
    }


@pytest.fixture
def go_away(settings: Settings) -> Callable[[bool], None]:
    """Make the bucket unreachable, or reachable again."""
    reachable = settings.STORAGES

    def go(away: bool) -> None:
        storage = reachable["default"]
        options = {**storage["OPTIONS"], **({"endpoint_url": "http://127.0.0.1:1"} if away else {})}
        settings.STORAGES = {**reachable, "default": {**storage, "OPTIONS": options}}

    return go


def add(api: APIClient, sound: bytes, name: str) -> Track:
    response = api.post(TRACKS, {"file": SimpleUploadedFile(name, sound)}, format="multipart")
    assert response.status_code == 202, response.content
    return Track.objects.get(pk=response.json()["id"])


def test_from_upload_to_deletion(
    owner_api: APIClient, owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    sound = wav(chords(4))
    track = add(owner_api, sound, "song.wav")
    assert analyse_track(track_id=track.pk) is True
    body = owner_api.get(f"{TRACKS}{track.pk}/").json()
    assert (body["status"], body["error"]) == ("done", None)
    assert sum(body["analysis"]["probabilities"].values()) == pytest.approx(1)

    links = owner_api.get(f"{TRACKS}{track.pk}/pictures/").json()
    assert requests.get(links["sound"], timeout=10).content == sound
    part = requests.get(links["sound"], headers={"Range": "bytes=0-3"}, timeout=10)
    assert (part.status_code, part.content, part.headers["Content-Type"]) == (206, b"RIFF", "audio/wav")
    for name in Analysis.PICTURES:
        picture = requests.get(links[name], timeout=10)
        assert picture.status_code == 200
        assert picture.headers["Content-Type"] in ("image/jpeg", "image/png", "image/webp")
        assert parse_qs(urlsplit(links[name]).query)["X-Amz-Expires"] == ["3600"]

    assert len(files_of_tracks()) == 1 + len(Analysis.PICTURES)
    assert owner_api.delete(f"{TRACKS}{track.pk}/").status_code == 204
    assert len(files_of_tracks()) == 1 + len(Analysis.PICTURES)
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_api.delete(f"/api/v1/bin/{track.pk}/").status_code == 204
    assert files_of_tracks() == []


def test_what_browsers_do_not_play_gets_a_rendition_and_is_shown(owner_api: APIClient) -> None:
    track = add(owner_api, encoded("aiff", "pcm_s16be"), "song.aiff")
    assert analyse_track(track_id=track.pk) is True
    links = owner_api.get(f"{TRACKS}{track.pk}/pictures/").json()
    assert requests.get(links["playable"], timeout=10).headers["Content-Type"] == "audio/mpeg"


def test_pages_and_the_archive_take_files_from_there(
    owner_api: APIClient, client: APIClient, owner: User
) -> None:
    track = add(owner_api, wav(), "song.wav")
    analyse_track(track_id=track.pk)
    client.force_login(owner)
    assert b"X-Amz-Signature" in client.get(f"/tracks/{track.pk}/").content
    archive = client.post("/account/export/")
    assert archive.status_code == 200
    assert isinstance(archive, StreamingHttpResponse)
    assert len(b"".join(cast(Iterator[bytes], archive.streaming_content))) > track.size


def test_downloads_are_kept_under_the_name_that_people_know(
    owner_api: APIClient, client: APIClient, owner: User
) -> None:
    track = add(owner_api, wav(), "Été & 1.wav")
    analyse_track(track_id=track.pk)
    client.force_login(owner)
    downloads = client.get(f"/tracks/{track.pk}/").content.decode().split('id="downloads-title"')[1]
    links = [
        (unescape(link), unescape(name))
        for link, name in re.findall(r'<a href="(http[^"]+)" download="([^"]+)"', downloads)
    ]
    assert len(links) == 1 + len(Analysis.PICTURES)
    for link, name in links:
        answer = requests.get(link, timeout=10)
        assert answer.status_code == 200
        said = answer.headers["Content-Disposition"]
        assert said == content_disposition_header(as_attachment=True, filename=name)
    assert links[0][1] == "Été & 1.wav"


def test_a_sound_that_is_not_kept_is_classified() -> None:
    name = default_storage.save("scratch/song.wav", ContentFile(wav(chords(4))))
    heard = classify.answer(name=name)
    assert sum(heard["probabilities"].values()) == pytest.approx(1)


def test_a_file_that_is_gone_fails_the_track(owner_api: APIClient) -> None:
    track = add(owner_api, wav(), "song.wav")
    default_storage.delete(str(track.sound.name))
    analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert (track.status, track.error_code) == ("failed", "file_missing")


def test_what_the_sender_calls_a_file_makes_no_page_of_it(owner_api: APIClient) -> None:
    file = SimpleUploadedFile("page.html", wav() + b"<script>alert(1)</script>", content_type="text/html")
    track = Track.objects.get(pk=owner_api.post(TRACKS, {"file": file}, format="multipart").json()["id"])
    assert requests.get(track.sound.url, timeout=10).headers["Content-Type"] == "audio/wav"


def test_a_bucket_that_is_away_refuses_an_upload(
    owner_api: APIClient, go_away: Callable[[bool], None]
) -> None:
    go_away(True)
    response = owner_api.post(TRACKS, {"file": SimpleUploadedFile("song.wav", wav())}, format="multipart")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert not Track.objects.exists()


def test_a_bucket_that_is_away_holds_no_deletion_up(
    owner_api: APIClient,
    go_away: Callable[[bool], None],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    track = add(owner_api, wav(), "song.wav")
    go_away(True)
    with django_capture_on_commit_callbacks(execute=True):
        delete_tracks(Track.objects.filter(pk=track.pk))
    assert not Track.objects.exists()
    go_away(False)
    assert tidy() == 0, "too young"
    assert files_of_tracks() == [track.sound.name]
