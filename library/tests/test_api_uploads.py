"""POST /api/v1/uploads/: many files in one request, or in an archive that a worker unpacks."""

from __future__ import annotations

import io
import struct
import uuid
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library import personal_data, tasks
from library.errors import TrackError
from library.models import Track, UploadBatch, UploadEntry
from library.services import archives, batches, queue
from library.services.tidying import tidy
from library.services.tracks import add_track
from library.tests.conftest import Api
from library.tests.sounds import chords, wav

UPLOADS = "/api/v1/uploads/"
Stored = Callable[[], list[str]]


def packed(files: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def send(client: APIClient, *, archive: bytes | None = None, files: dict[str, bytes] | None = None) -> Any:
    form: dict[str, Any] = {"files": [SimpleUploadedFile(name, data) for name, data in (files or {}).items()]}
    if archive is not None:
        form = {"archive": SimpleUploadedFile("songs.zip", archive)}
    return client.post(UPLOADS, form, format="multipart")


def outcomes(batch: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["error"]["code"] if row["error"] else row["status"] for row in batch["files"]}


# --- several files -----------------------------------------------------------------------------------------
def test_each_file_is_taken_or_refused_by_itself(owner_api: APIClient, owner: User) -> None:
    sounds = {
        "One.wav": wav(chords(seed=1)),
        "again.wav": wav(chords(seed=1)),
        "Two.wav": wav(chords(seed=2)),
    }
    answer = send(owner_api, files={**sounds, "notes.txt": b"no sound at all", "none.wav": b""})
    assert answer.status_code == 202
    batch = answer.json()
    assert answer["Location"] == f"http://testserver{UPLOADS}{batch['id']}/"
    assert outcomes(batch) == {
        "One.wav": "added",
        "again.wav": "duplicate",
        "Two.wav": "added",
        "notes.txt": "not_audio",
        "none.wav": "empty",
    }
    assert batch["status"] == "done"
    assert batch["progress"] == {
        "total": 5,
        "waiting": 0,
        "added": 2,
        "duplicates": 1,
        "refused": 2,
        "tracks": 2,
        "analysed": 0,
        "failed": 0,
    }
    assert {track.title for track in Track.objects.filter(owner=owner)} == {"One", "Two"}
    assert batch["files"][0]["track"] == batch["files"][1]["track"]
    # The analyses are the other half of the progress.
    Track.objects.filter(title="One").update(status="failed", error_code="internal")
    assert owner_api.get(answer["Location"]).json()["progress"]["failed"] == 1


def test_a_site_that_cannot_store_says_so(
    owner_api: APIClient, monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    monkeypatch.setattr("library.services.tracks.has_room", lambda size: False)
    refused = send(owner_api, files={"a.wav": wav()})
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert not UploadBatch.objects.exists()
    refused = send(owner_api, archive=packed({"a.wav": wav()}))
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert not UploadBatch.objects.exists()
    assert stored() == []


def test_what_is_no_batch(owner_api: APIClient, settings: Settings) -> None:
    assert send(owner_api).status_code == 400
    both = {
        "files": [SimpleUploadedFile("a.wav", wav())],
        "archive": SimpleUploadedFile("a.zip", packed({"a.wav": wav()})),
    }
    assert owner_api.post(UPLOADS, both, format="multipart").status_code == 400
    assert owner_api.post(UPLOADS, {"files": ["x"]}, format="json").status_code == 415
    settings.UPLOAD_BATCH_FILES = 1
    many = send(owner_api, files={"a.wav": wav(), "b.wav": wav()})
    assert (many.status_code, many.json()["code"]) == (413, "archive_many")
    assert send(APIClient(), files={"a.wav": wav()}).status_code == 401
    assert not UploadBatch.objects.exists()


# --- an archive --------------------------------------------------------------------------------------------
def test_an_archive_is_unpacked_by_a_worker(
    owner_api: APIClient,
    owner: User,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[tuple[str, ...]] = []

    def put(*what: str) -> bool:
        sent.append(what)
        return True

    monkeypatch.setattr(queue, "put", put)
    archive = packed(
        {
            "Album/01 First.wav": wav(chords(seed=1)),
            "Album/cover.txt": b"no sound",
            "Album/": b"",
            "__MACOSX/Album/._01 First.wav": b"x",
            "Album/.DS_Store": b"x",
            "other/First copy.wav": wav(chords(seed=1)),
        },
        method=zipfile.ZIP_DEFLATED,
    )
    with django_capture_on_commit_callbacks(execute=True):
        answer = send(owner_api, archive=archive)
    batch = answer.json()
    assert (answer.status_code, batch["status"], batch["finished_at"]) == (202, "queued", None)
    assert (batch["progress"]["total"], batch["progress"]["waiting"]) == (3, 3)
    assert sent == [("library.tasks.unpack", batch["id"], "bulk")]
    assert len(stored()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        tasks.unpack(batch["id"])
    after = owner_api.get(answer["Location"]).json()
    assert (after["status"], after["error"]) == ("done", None)
    assert outcomes(after) == {
        "01 First.wav": "added",
        "cover.txt": "not_audio",
        "First copy.wav": "duplicate",
    }
    track = Track.objects.get()
    assert (track.title, track.owner) == ("01 First", owner)
    with track.sound.open() as file:
        assert file.read() == wav(chords(seed=1))
    # The analysis waits behind what people wait for; the archive is gone.
    assert sent[1:] == [("library.tasks.analyse_track", str(track.pk), "bulk")]
    assert stored() == [track.sound.name]
    assert not batches.unpack(batch_id=uuid.UUID(batch["id"]))


def test_a_worker_goes_on_where_the_last_one_was_killed(
    owner: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    files = {f"{number}.wav": wav(chords(seed=number)) for number in range(3)}
    data = packed(files)
    batch = batches.add_archive(owner=owner, file=ContentFile(data, name="songs.zip"))
    claim = batches.JOBS.claim(batch.pk)
    assert claim is not None
    taken: list[str] = []
    real = add_track

    def killed(**what: Any) -> Any:
        if len(taken) == 1:
            raise SystemExit
        taken.append(what["name"])
        return real(**what)

    monkeypatch.setattr(batches, "add_track", killed)
    with pytest.raises(SystemExit):
        batches._unpack(claim)
    assert Track.objects.count() == 1
    UploadBatch.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(batches, "add_track", real)
    monkeypatch.setattr(batches.JOBS, "messages_waiting", lambda: None)
    batches.sweep()
    assert batches.unpack(batch_id=batch.pk)
    assert Track.objects.count() == 3
    assert set(UploadEntry.objects.values_list("status", flat=True)) == {"added"}
    batch.refresh_from_db()
    assert (batch.status, batch.archive.name, batch.tries) == ("done", "", 2)


def test_a_site_that_is_busy_is_asked_again(
    owner: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    batch = batches.add_archive(owner=owner, file=ContentFile(packed({"a.wav": wav()}), name="songs.zip"))

    def busy(**_what: Any) -> Any:
        raise TrackError("busy")

    monkeypatch.setattr(batches, "add_track", busy)
    for status, entry in (("queued", "waiting"), ("queued", "waiting"), ("done", "refused")):
        assert batches.unpack(batch_id=batch.pk)
        batch.refresh_from_db()
        assert (batch.status, batch.entries.get().status) == (status, entry)
    assert batch.entries.get().error_code == "busy"


def with_flag(data: bytes, flag: int) -> bytes:
    """Set a flag in the directory and at the file."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = changed.find(mark) + offset
        changed[at : at + 2] = struct.pack("<H", flag)
    return bytes(changed)


def bomb() -> bytes:
    return packed({"zeros.wav": b"\0" * 30_000_000}, method=zipfile.ZIP_DEFLATED)


def link() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        entry = zipfile.ZipInfo("link.wav")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return target.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no archive": (wav, "archive_unreadable"),
    "a cut": (lambda: packed({"a.wav": wav()})[:-30], "archive_unreadable"),
    "the end only": (lambda: b"PK\5\6" + b"\xff" * 18, "archive_many"),
    "zip64": (lambda: b"PK\6\7" + b"\0" * 16 + packed({})[-22:], "archive_unreadable"),
    "nothing": (lambda: packed({}), "archive_empty"),
    "folders only": (lambda: packed({"a/": b"", "a/.hidden": b"x"}), "archive_empty"),
    "a bomb": (bomb, "archive_hostile"),
    "a way out": (lambda: packed({"../../etc/a.wav": wav()}), "archive_hostile"),
    "a way out by backslash": (lambda: packed({"..\\a.wav": wav()}), "archive_hostile"),
    "a root": (lambda: packed({"/etc/a.wav": wav()}), "archive_hostile"),
    "a drive": (lambda: packed({"C:/a.wav": wav()}), "archive_hostile"),
    "a link": (link, "archive_hostile"),
    "encrypted": (lambda: with_flag(packed({"a.wav": wav()}), 1), "archive_encrypted"),
    "LZMA": (lambda: packed({"a.wav": wav()}, method=zipfile.ZIP_LZMA), "archive_method"),
    "too many": (lambda: packed({f"{number}.wav": b"x" for number in range(51)}), "archive_many"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused(
    owner_api: APIClient, stored: Stored, settings: Settings, kind: str
) -> None:
    settings.UPLOAD_BATCH_FILES = 50
    make, code = HOSTILE[kind]
    refused = send(owner_api, archive=make())
    assert refused.json()["code"] == code
    assert refused.status_code == (413 if code == "archive_many" else 400)
    assert not UploadBatch.objects.exists()
    assert stored() == []


@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_names_that_do_not_say_their_encoding(owner_api: APIClient, encoding: str) -> None:
    """Windows writes the system's encoding into archives, macOS UTF-8; neither says so."""
    names = ["봄날의 곰.wav", "아이유/룰라.wav"]
    data = packed({f"{place}{'x' * 40}.wav": wav(chords(1 + place)) for place in range(len(names))})
    for place, name in enumerate(names):
        raw = name.encode(encoding).removesuffix(b".wav").ljust(41, b"-") + b".wav"
        data = data.replace(f"{place}{'x' * 40}.wav".encode(), raw)
    batch = send(owner_api, archive=data)
    assert batch.status_code == 202, batch.json()
    assert [file["name"].rstrip("-wav.") for file in batch.json()["files"]] == ["봄날의 곰", "룰라"]
    batches.unpack(batch_id=uuid.UUID(batch.json()["id"]))
    assert {track.title.rstrip("-") for track in Track.objects.all()} == {"봄날의 곰", "룰라"}


def test_an_archive_that_is_too_large(owner_api: APIClient, settings: Settings) -> None:
    settings.UPLOAD_BATCH_MAX_BYTES = 10_000
    refused = send(owner_api, archive=packed({"a.wav": wav()}))
    assert (refused.status_code, refused.json()["code"]) == (413, "archive_large")


def test_a_file_that_lies_about_its_size_is_not_unpacked_further(owner: User, settings: Settings) -> None:
    settings.AUDIO_MAX_BYTES = 100_000
    batch = batches.add_archive(
        owner=owner,
        file=ContentFile(packed({"large.wav": wav(chords(10)), "b.wav": wav(chords(1))}), name="songs.zip"),
    )
    with (
        batch.archive.open("rb") as file,
        zipfile.ZipFile(file) as archive,
        archives.unpacked(archive, 0) as content,
    ):
        assert len(content.read()) == 100_001
    assert batches.unpack(batch_id=batch.pk)
    assert dict(UploadEntry.objects.values_list("name", "error_code")) == {
        "large.wav": "too_large",
        "b.wav": "",
    }


def test_a_damaged_file_fails_alone(owner: User) -> None:
    data = bytearray(packed({"a.wav": wav(chords(seed=1)), "b.wav": wav(chords(seed=2))}))
    # A byte of the first sound: its checksum tells.
    data[data.find(b"data") + 100] ^= 0xFF
    batch = batches.add_archive(owner=owner, file=ContentFile(bytes(data), name="songs.zip"))
    assert batches.unpack(batch_id=batch.pk)
    assert dict(UploadEntry.objects.values_list("name", "error_code")) == {
        "a.wav": "archive_damaged",
        "b.wav": "",
    }
    assert Track.objects.count() == 1


# --- whose, and for how long -------------------------------------------------------------------------------
def test_somebody_elses_batch_is_not_there(api: Api, owner_api: APIClient, other: User, staff: User) -> None:
    address = send(owner_api, files={"a.wav": wav()})["Location"]
    for stranger in (other, staff):
        assert api(stranger).get(address).status_code == 404
    assert APIClient().get(address).status_code == 401
    assert owner_api.get(f"{UPLOADS}{uuid.UUID(int=0)}/").status_code == 404


def test_batches_are_forgotten_and_tracks_stay(
    owner: User,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    old = batches.add_files(owner=owner, files=[ContentFile(wav(), name="a.wav")])
    waiting = batches.add_archive(owner=owner, file=ContentFile(packed({"b.wav": wav()}), name="b.zip"))
    UploadBatch.objects.update(created=timezone.now() - timedelta(days=31))
    monkeypatch.setattr("library.services.tidying.GRACE", timedelta(0))
    batches.forget_old()
    tidy()
    assert list(UploadBatch.objects.values_list("pk", flat=True)) == [waiting.pk]
    assert waiting.archive.name in stored()
    assert old.entries.model.objects.filter(batch_id=old.pk).count() == 0
    exported = dict(personal_data.export(owner))
    assert "b.wav" in str(exported["uploads.json"])
    with django_capture_on_commit_callbacks(execute=True):
        personal_data.delete(owner)
    assert not UploadBatch.objects.exists()
    assert stored() == []
