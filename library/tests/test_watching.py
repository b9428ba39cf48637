"""The watch folder: files that appear, change, move and go, and what must not happen meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from pytest_django import Settings

from genreweb import checks
from genreweb.accounts.models import User
from genreweb.schedule import beat_schedule
from library import personal_data
from library.models import Track, WatchedFile
from library.services import watching
from library.services.tracks import add_track, edit
from library.tasks import scan_watch_folder
from library.tests.sounds import chords, wav


@pytest.fixture
def folder(tmp_path: Path, settings: Settings, owner: User) -> Path:
    place = tmp_path / "watched"
    place.mkdir()
    settings.WATCH_DIR, settings.WATCH_USER, settings.WATCH_SETTLE_SECONDS = place, owner.email.upper(), 0
    return place


@pytest.fixture
def look(owner: User, folder: Path) -> Callable[[], dict[str, int]]:
    """Look twice, as what is new is only noted by the first look."""

    def twice() -> dict[str, int]:
        total = watching.scan(folder=folder, owner=owner)
        total.update(watching.scan(folder=folder, owner=owner))
        return dict(total)

    return twice


def song(seed: int) -> bytes:
    return wav(chords(1.5, seed=seed))


def names(owner: User) -> set[str]:
    return set(Track.objects.owned_by(owner).values_list("original_name", flat=True))


Look = Callable[[], dict[str, int]]


def test_files_that_appear_are_taken_once_they_stay_the_same(folder: Path, owner: User, look: Look) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "노래 1.wav").write_bytes(song(1))
    (folder / "growing.wav").write_bytes(song(2)[:30_000])
    (folder / "download.wav.part").write_bytes(song(3))
    (folder / "cover.jpg").write_bytes(b"picture")
    assert watching.scan(folder=folder, owner=owner) == {}
    with (folder / "growing.wav").open("ab") as file:
        file.write(song(2)[30_000:])
    assert watching.scan(folder=folder, owner=owner) == {"taken": 1}
    scan_watch_folder()
    assert names(owner) == {"노래 1.wav", "growing.wav"}
    track = Track.objects.get(original_name="growing.wav")
    assert (track.owner, track.visibility, track.title) == (owner, Track.Visibility.PRIVATE, "growing")
    with default_storage.open(str(track.sound.name)) as file:
        assert file.read() == song(2)
    assert look() == {}
    assert (folder / "growing.wav").read_bytes() == song(2)
    exported = dict(personal_data.export(owner))["watched_files.json"]
    assert isinstance(exported, bytes)
    assert {row["name"] for row in json.loads(exported)} == {"deep/er/노래 1.wav", "growing.wav"}


def test_not_before_it_is_old_enough(folder: Path, owner: User, look: Look, settings: Settings) -> None:
    settings.WATCH_SETTLE_SECONDS = 3600
    (folder / "a.wav").write_bytes(song(1))
    assert look() == {}
    WatchedFile.objects.update(since="2020-01-01T00:00Z")
    assert look() == {"taken": 1}


def test_renames_and_deletions_are_followed(folder: Path, owner: User, look: Look) -> None:
    for number in (1, 2, 3):
        (folder / f"song_{number}.wav").write_bytes(song(number))
    assert look() == {"taken": 3}
    ids = set(Track.objects.values_list("pk", flat=True))
    edit(track=Track.objects.get(title="song 2"), words={"title": "My own title"})
    (folder / "new").mkdir()
    (folder / "song_1.wav").rename(folder / "new" / "other_name.wav")
    (folder / "song_2.wav").rename(folder / "second.wav")
    assert look() == {"taken": 2}
    assert look() == {"moved": 2}
    assert set(Track.objects.values_list("pk", flat=True)) == ids
    assert dict(Track.objects.values_list("original_name", "title")) == {
        "other_name.wav": "other name",
        "second.wav": "My own title",
        "song_3.wav": "song 3",
    }
    stored = [str(track.sound.name) for track in Track.objects.filter(original_name="song_3.wav")]
    (folder / "song_3.wav").unlink()
    assert watching.scan(folder=folder, owner=owner) == {}
    assert watching.scan(folder=folder, owner=owner) == {"removed": 1}
    assert names(owner) == {"other_name.wav", "second.wav"}
    assert WatchedFile.objects.count() == 2
    assert len(stored) == 1


def test_a_file_that_changes_keeps_its_track(folder: Path, owner: User, look: Look) -> None:
    file = folder / "a.wav"
    file.write_bytes(song(1))
    look()
    track = Track.objects.get()
    edit(track=track, words={"artist": "Me"})
    file.write_bytes(song(2))
    assert look() == {"changed": 1}
    changed = Track.objects.get()
    assert (changed.pk, changed.artist, changed.status) == (track.pk, "Me", Track.Status.QUEUED)
    with default_storage.open(str(changed.sound.name)) as stored:
        assert stored.read() == song(2)
    os.utime(file, (1, 1))
    assert look() == {}
    # With the content of another track of theirs it becomes that one.
    uploaded = add_track(owner=owner, file=ContentFile(song(3), name="b.wav"), name="b.wav").track
    file.write_bytes(song(3))
    assert look() == {"taken": 1, "removed": 1}
    assert Track.objects.owned_by(owner).get() == uploaded
    assert Track.objects.in_bin_of(owner).get() == track


def test_only_what_came_from_the_folder_goes_with_it(
    folder: Path, owner: User, other: User, look: Look, queued_track: Callable[..., Track]
) -> None:
    uploaded = add_track(owner=owner, file=ContentFile(song(1), name="mine.wav"), name="mine.wav").track
    theirs = add_track(owner=other, file=ContentFile(song(2), name="theirs.wav"), name="theirs.wav").track
    (folder / "same.wav").write_bytes(song(1))
    (folder / "two.wav").write_bytes(song(2))
    (folder / "three.wav").write_bytes(song(3))
    (folder / "stays.wav").write_bytes(song(4))
    assert look() == {"taken": 4}
    assert Track.objects.count() == 5
    # Another sound was put in its place here: the track is no longer what the file was.
    Track.objects.filter(original_name="three.wav").update(sha256="0" * 64)
    for name in ("same.wav", "two.wav", "three.wav"):
        (folder / name).unlink()
    assert look() == {"removed": 1}
    assert set(Track.objects.in_bin_of(owner).values_list("original_name", flat=True)) == {"two.wav"}
    kept = set(Track.objects.filter(binned_at=None).values_list("original_name", flat=True))
    assert kept == {uploaded.original_name, theirs.original_name, "three.wav", "stays.wav"}
    # What its owner deleted here is not taken again, not even when the file is touched.
    Track.objects.filter(original_name="stays.wav").delete()
    os.utime(folder / "stays.wav", (5, 5))
    assert look() == {}
    assert not Track.objects.filter(original_name="stays.wav").exists()


def test_a_folder_that_is_not_there_removes_nothing(folder: Path, owner: User, look: Look) -> None:
    (folder / "a.wav").write_bytes(song(1))
    (folder / "locked").mkdir()
    (folder / "locked" / "b.wav").write_bytes(song(2))
    look()
    moved = folder.rename(folder.with_name("elsewhere"))
    assert look() == {}
    folder.mkdir()
    assert look() == {}
    folder.rmdir()
    moved.rename(folder)
    assert look() == {}
    assert Track.objects.count() == 2
    if os.geteuid() != 0:
        (folder / "locked").chmod(0)
        assert look() == {}
        (folder / "locked").chmod(0o700)
    assert names(owner) == {"a.wav", "b.wav"}


def test_hostile_names_links_and_loops(folder: Path, owner: User, look: Look, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.wav").write_bytes(song(9))
    (folder / "link.wav").symlink_to(outside / "secret.wav")
    (folder / "away").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "self.wav").symlink_to(folder / "self.wav")
    os.mkfifo(folder / "pipe.wav")
    (folder / "<script>\n.wav").write_bytes(song(1))
    (folder / os.fsdecode(b"\xb0\xa1\xff.wav")).write_bytes(song(2))
    (folder / ("x" * 240 + ".wav")).write_bytes(song(3))
    (folder / "words.mp3").write_bytes(b"only words " * 500)
    assert look() == {"taken": 3, "refused": 1}
    assert look() == {}
    assert Track.objects.count() == 3
    assert not Track.objects.filter(original_name__contains="secret").exists()
    assert not Track.objects.filter(original_name__contains="\n").exists()
    refused = WatchedFile.objects.get(state=WatchedFile.State.REFUSED)
    assert (refused.name, refused.error_code, refused.track) == ("words.mp3", "not_audio", None)
    (folder / "words.mp3").write_bytes(song(4))
    assert look() == {"taken": 1}


def test_looks_are_bounded_and_never_two_at_once(
    folder: Path, owner: User, look: Look, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(watching, "MOST_TAKEN", 2)
    for number in range(3):
        (folder / f"{number}.wav").write_bytes(song(number))
    assert look() == {"taken": 2}
    settings.QUOTA_TRACKS = 2
    assert look() == {}
    assert WatchedFile.objects.filter(state=WatchedFile.State.WAITING).count() == 1
    settings.QUOTA_TRACKS = 0
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [watching._LOCK])
        assert look() == {}
        cursor.execute("SELECT pg_advisory_unlock(%s)", [watching._LOCK])
    other.close()
    assert look() == {"taken": 1}
    (folder / "big.wav").write_bytes(song(8))
    settings.AUDIO_MAX_BYTES = 1000
    assert look() == {"refused": 1}
    assert WatchedFile.objects.get(name="big.wav").error_code == "too_large"


def test_files_that_may_not_be_read_keep_no_others_waiting(
    folder: Path,
    owner: User,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(3):
        (folder / f"closed-{number}.wav").write_bytes(song(number))
    (folder / "open.wav").write_bytes(song(3))
    copied = watching._copied

    # Root may read everything.
    def refuse(path: Path, *args: Any, **more: Any) -> bool:
        if path.name.startswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return copied(path, *args, **more)

    monkeypatch.setattr(watching, "MOST_TAKEN", 2)
    monkeypatch.setattr(watching, "_copied", refuse)
    assert look() == {"taken": 1}
    assert names(owner) == {"open.wav"}
    (said,) = [line for line in caplog.messages if "cannot be read" in line]
    assert said == "3 files in the watch folder cannot be read, such as closed-0.wav (Permission denied)"
    # Once they may be read they are taken, without having changed.
    monkeypatch.setattr(watching, "_copied", copied)
    assert look() == {"taken": 3}
    assert len(names(owner)) == 4


def test_settings(folder: Path, settings: Settings, staff: User, client: Client) -> None:
    def found() -> list[str | None]:
        return [message.id for message in checks.watch_folder()]

    assert found() == []
    settings.WATCH_DIR = folder / "nothing"
    assert found() == ["genreweb.W042"]
    settings.WATCH_USER = ""
    assert found() == ["genreweb.E041"]
    settings.WATCH_DIR, settings.WATCH_USER = None, "a@example.org"
    assert found() == ["genreweb.E040"]
    assert watching.scan_configured() == {}
    settings.WATCH_DIR, settings.WATCH_USER = folder, "nobody@example.org"
    (folder / "a.wav").write_bytes(song(1))
    assert watching.scan_configured() == {}
    task: dict[str, Any] = beat_schedule(training="", watches=True)["look through the watch folder"]
    assert task["task"] == scan_watch_folder.name
    assert "look through the watch folder" not in beat_schedule(training="")
    WatchedFile.objects.create(
        owner=staff, place="0" * 64, name="<b>bad", stamp="1-1", state="refused", error_code="not_audio"
    )
    client.force_login(staff)
    html = client.get("/admin/library/watchedfile/").content.decode()
    assert "&lt;b&gt;bad" in html
