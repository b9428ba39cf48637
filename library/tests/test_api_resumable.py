"""/api/v1/uploads/resumable/: uploads in parts by the tus protocol."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient
from tusclient.client import TusClient

from genreweb.accounts.models import User
from genreweb.accounts.personal_data import delete_account
from genreweb.accounts.scopes import Scope
from genreweb.accounts.tokens import create_token
from library.errors import TrackError
from library.models import ResumableUpload, Track, UploadPart
from library.services import resumable
from library.services.tidying import tidy
from library.tests.conftest import Api
from library.tests.sounds import chords, wav

URL = "/api/v1/uploads/resumable/"
TUS = {"Tus-Resumable": "1.0.0"}
Stored = Callable[[], list[str]]


@pytest.fixture(scope="module")
def sound() -> bytes:
    return wav(chords(seed=1))


def begin(client: APIClient, length: object, **headers: str) -> Any:
    return client.post(URL, headers={**TUS, "Upload-Length": str(length), **headers})


def send(client: APIClient, address: str, offset: object, part: bytes, **headers: str) -> Any:
    return client.patch(
        address,
        part,
        content_type="application/offset+octet-stream",
        headers={**TUS, "Upload-Offset": str(offset), **headers},
    )


def metadata(name: str) -> str:
    return f"filename {base64.b64encode(name.encode()).decode()},is_confidential"


@pytest.mark.django_db
def test_what_the_server_can_do(api: Api, anonymous: Any, settings: Settings) -> None:
    answer = api(anonymous).options(URL)
    assert answer.status_code == 204
    assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination"
    assert answer.headers["Tus-Max-Size"] == str(settings.AUDIO_MAX_BYTES)


@pytest.mark.django_db
def test_parts_become_a_track(owner_api: APIClient, owner: User, sound: bytes, stored: Stored) -> None:
    made = begin(owner_api, len(sound), **{"Upload-Metadata": metadata("노래.wav")})
    assert (made.status_code, made.headers["Tus-Resumable"]) == (201, "1.0.0")
    assert made.headers["Upload-Expires"].endswith("GMT")
    address = made.headers["Location"]
    assert send(owner_api, address, 0, sound[:1000]).headers["Upload-Offset"] == "1000"
    head = owner_api.head(address, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000", str(len(sound)))
    assert head.headers["Upload-Metadata"] == metadata("노래.wav")
    assert head.headers["Cache-Control"] == "no-store"
    assert not Track.objects.exists()
    done = send(owner_api, address, 1000, sound[1000:])
    assert (done.status_code, done.headers["Upload-Offset"]) == (204, str(len(sound)))
    track = Track.objects.get()
    assert (track.owner, track.original_name, track.title) == (owner, "노래.wav", "노래")
    assert done.headers["Content-Location"].endswith(f"/api/v1/tracks/{track.pk}/")
    with track.sound.open("rb") as file:
        assert file.read() == sound
    # A client whose answer was lost asks again.
    assert owner_api.head(address, headers=TUS).headers["Upload-Offset"] == str(len(sound))
    assert owner_api.get(address).json()["track"] == str(track.pk)
    assert not UploadPart.objects.exists()
    # The same file again is the same track.
    again = begin(owner_api, len(sound)).headers["Location"]
    assert send(owner_api, again, 0, sound).headers["Content-Location"] == done.headers["Content-Location"]
    assert owner_api.delete(again, headers=TUS).status_code == 204
    assert Track.objects.count() == 1


@pytest.mark.django_db
def test_parts_that_do_not_fit_change_nothing(owner_api: APIClient, stored: Stored) -> None:
    address = begin(owner_api, 10).headers["Location"]
    send(owner_api, address, 0, b"12345")
    wrong = send(owner_api, address, 0, b"12345")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "upload_offset")
    assert send(owner_api, address, "five", b"x").status_code == 400
    other = owner_api.patch(
        address, b"x", content_type="application/json", headers={**TUS, "Upload-Offset": "5"}
    )
    assert other.status_code == 415
    assert send(owner_api, address, 5, b"x", **{"Tus-Resumable": "0.2.2"}).status_code == 412
    assert owner_api.head(address, headers=TUS).headers["Upload-Offset"] == "5"
    assert len(stored()) == 1


@pytest.mark.django_db
def test_of_two_requests_with_the_same_part_one_counts(owner: User, stored: Stored) -> None:
    upload = resumable.create(owner=owner, length=10)

    class Overtaken:
        """Another request stores its part while this one's arrives."""

        def read(self, size: int, /) -> bytes:
            first = ResumableUpload.objects.get(pk=upload.pk)
            if first.offset == 0:
                resumable.receive(upload=first, offset=0, source=io.BytesIO(b"1234"))
                return b"abcd"
            return b""

    with pytest.raises(TrackError, match="upload_offset"):
        resumable.receive(upload=upload, offset=0, source=Overtaken())
    part = UploadPart.objects.get()
    with part.file.open("rb") as file:
        assert file.read() == b"1234"
    assert stored() == [part.file.name]


@pytest.mark.django_db
def test_what_arrived_before_a_connection_broke_counts(owner: User) -> None:
    upload = resumable.create(owner=owner, length=10)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size)
            if not found:
                raise OSError("the client is gone")
            return found

    resumable.receive(upload=upload, offset=0, source=Broken(b"1234"))
    assert upload.offset == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("length", "headers", "status"),
    [
        ("", {}, 400),
        ("-1", {}, 400),
        ("1e3", {}, 400),
        ("9" * 30, {}, 400),
        ("0", {}, 400),
        ("999999999999", {}, 413),
        ("5", {"Tus-Resumable": "1.1.0"}, 412),
        ("5", {"Upload-Metadata": "filename %%%"}, 400),
        ("5", {"Upload-Metadata": "filename /w=="}, 400),
        ("5", {"Upload-Metadata": f"filename {'A' * 5000}"}, 400),
    ],
)
def test_what_cannot_begin(owner_api: APIClient, length: str, headers: dict[str, str], status: int) -> None:
    answer = begin(owner_api, length, **headers)
    assert (answer.status_code, answer.headers["Tus-Resumable"]) == (status, "1.0.0")
    assert not ResumableUpload.objects.exists()


@pytest.mark.django_db
def test_quotas_count_what_was_begun(
    owner_api: APIClient, owner: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.quota_megabytes = 1
    owner.save(update_fields=["quota_megabytes"])
    assert begin(owner_api, 700_000).status_code == 201
    refused = begin(owner_api, 700_000)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "quota_bytes")
    monkeypatch.setattr(resumable, "MOST_UNFINISHED", 1)
    many = begin(owner_api, 5)
    assert (many.status_code, many.json()["error"]["code"]) == (403, "uploads_many")
    settings.STORAGE_RESERVE_BYTES = 2**60
    monkeypatch.setattr("library.services.quotas.has_room", lambda _size: False)
    monkeypatch.setattr(resumable, "MOST_UNFINISHED", 9)
    assert begin(owner_api, 5).status_code == 507


@pytest.mark.django_db
def test_what_is_no_sound_is_refused_and_gone(owner_api: APIClient, stored: Stored) -> None:
    address = begin(owner_api, 8).headers["Location"]
    refused = send(owner_api, address, 0, b"no sound")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "not_audio")
    assert owner_api.head(address, headers=TUS).status_code == 404
    assert not Track.objects.exists()


@pytest.mark.django_db
def test_who_may(api: Api, anonymous: Any, owner_api: APIClient, owner: User, other: User) -> None:
    assert begin(api(anonymous), 5).status_code == 401
    address = begin(owner_api, 5).headers["Location"]
    stranger = api(other)
    assert stranger.head(address, headers=TUS).status_code == 404
    assert stranger.get(address).status_code == 404
    assert send(stranger, address, 0, b"12345").status_code == 404
    assert stranger.delete(address, headers=TUS).status_code == 404
    reading = APIClient()
    secret = create_token(user=owner, scopes=[Scope.READ])[1]
    reading.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert begin(reading, 5).status_code == 403
    assert reading.head(address, headers=TUS).headers["Upload-Offset"] == "0"


@pytest.mark.django_db
def test_files_go_with_what_they_belong_to(
    owner_api: APIClient, owner: User, stored: Stored, django_capture_on_commit_callbacks: Any
) -> None:
    addresses = [begin(owner_api, 10).headers["Location"] for _ in range(3)]
    for address in addresses:
        send(owner_api, address, 0, b"12345")
    assert len(stored()) == 3
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_api.delete(addresses[0], headers=TUS).status_code == 204
    assert len(stored()) == 2
    first = ResumableUpload.objects.order_by("created").first()
    assert first is not None
    ResumableUpload.objects.filter(pk=first.pk).update(expires=timezone.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert resumable.forget_expired() == 1
    assert len(stored()) == 1
    # What belongs to a row stays, whatever its age.
    assert tidy() == 0
    assert len(stored()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        delete_account(user=owner)
    assert stored() == []


@pytest.mark.django_db
def test_a_complete_upload_that_was_left_is_taken_up_again(
    owner_api: APIClient, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_given: object) -> None:
        raise TrackError("unavailable")

    address = begin(owner_api, len(sound)).headers["Location"]
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "add_track", fails)
        assert send(owner_api, address, 0, sound).status_code == 503
    # Just now somebody tried.
    assert resumable.sweep() == 0
    ResumableUpload.objects.update(claimed_at=timezone.now() - timedelta(minutes=6))
    assert resumable.sweep() == 1
    assert owner_api.get(address).json()["track"] == str(Track.objects.get().pk)
    assert resumable.sweep() == 0


def test_a_client_that_is_not_ours_sends_a_file_and_goes_on_with_it(
    live_server: LiveServer, owner: User, sound: bytes, stored: Stored
) -> None:
    secret = create_token(user=owner)[1]
    client = TusClient(f"{live_server.url}{URL}", headers={"Authorization": f"Bearer {secret}"})
    options = {"chunk_size": len(sound) // 3, "metadata": {"filename": "song.wav"}}
    first = client.uploader(file_stream=io.BytesIO(sound), **options)
    first.upload_chunk()  # type: ignore[no-untyped-call]
    upload = ResumableUpload.objects.get()
    assert (upload.offset, upload.track) == (len(sound) // 3, None)
    second = client.uploader(file_stream=io.BytesIO(sound), url=first.url, **options)
    second.upload()
    upload.refresh_from_db()
    assert upload.track is not None
    with upload.track.sound.open("rb") as file:
        assert file.read() == sound
    assert upload.track.original_name == "song.wav"
    # What it came in is gone.
    assert stored() == [upload.track.sound.name]
