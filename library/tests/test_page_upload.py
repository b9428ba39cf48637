"""Uploads from the page: one by one through its script, many at once without."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from genreweb.accounts.models import User
from library.models import Track
from library.tests.sounds import chords, encoded, wav

URL = "/upload/"


def file(name: str = "song.wav", content: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, wav() if content is None else content)


def by_script(client: Client, **fields: Any) -> HttpResponse:
    return client.post(URL, fields, headers={"Accept": "application/json"})  # type: ignore[return-value]


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_a_file_becomes_a_queued_track_and_its_row(
    page: Client, owner: User, stored: Callable[[], list[str]]
) -> None:
    answer = by_script(page, file=file("My_song.wav"))
    assert answer.status_code == 201
    track = Track.objects.get()
    assert (track.owner, track.title, track.status, track.source) == (owner, "My song", "queued", "upload")
    assert stored() == [track.sound.name]
    sent = answer.json()  # type: ignore[attr-defined]
    assert sent["id"] == str(track.pk)
    assert sent["url"] == reverse("library:track", args=[track.pk])
    assert sent["duplicate"] is False
    assert f'id="upload-{track.pk}"' in sent["row"]
    assert f'data-watch="upload.{track.pk}.queued."' in sent["row"]


def test_the_same_file_again_leads_to_the_track_that_is_there(
    page: Client, stored: Callable[[], list[str]]
) -> None:
    first = by_script(page, file=file()).json()  # type: ignore[attr-defined]
    answer = by_script(page, file=file("other name.wav"))
    assert answer.status_code == 200
    again = answer.json()  # type: ignore[attr-defined]
    assert (again["id"], again["duplicate"]) == (first["id"], True)
    assert "You already have this one." in again["row"]
    assert Track.objects.count() == 1
    assert len(stored()) == 1


def test_somebody_elses_copy_of_a_file_is_nobodys_business(page: Client, other: User, client: Client) -> None:
    by_script(page, file=file())
    stranger = Client()
    stranger.force_login(other)
    answer = by_script(stranger, file=file())
    assert answer.status_code == 201
    assert Track.objects.filter(owner=other).count() == 1


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "empty", "The file is empty"),
        (b"just text\n" * 500, "not_audio", "not an audio file"),
        (wav(chords(0.5)), "too_short", "too short"),
        (b"#EXTM3U\n/etc/passwd\n", "not_audio", "not an audio file"),
    ],
)
def test_a_refused_file_leaves_nothing_behind(
    page: Client, stored: Callable[[], list[str]], content: bytes, code: str, words: str
) -> None:
    answer = by_script(page, file=file("song.mp3", content))
    assert answer.status_code == 422
    error = answer.json()["error"]  # type: ignore[attr-defined]
    assert error["code"] == code
    assert words in error["message"]
    assert not Track.objects.exists()
    assert stored() == []


@pytest.mark.parametrize(
    ("reason", "refusal"), [(errno.ENOSPC, (507, "storage_full")), (errno.EIO, (503, "unavailable"))]
)
def test_a_storage_that_fails_is_not_the_files_fault(
    page: Client, monkeypatch: pytest.MonkeyPatch, reason: int, refusal: tuple[int, str]
) -> None:
    def fail(*_args: object) -> None:
        raise OSError(reason, "for the test")

    monkeypatch.setattr("library.tests.storages.PathlessStorage._save", fail)
    answer = by_script(page, file=file())
    assert (answer.status_code, answer.json()["error"]["code"]) == refusal  # type: ignore[attr-defined]
    assert not Track.objects.exists()


def test_a_file_that_is_too_large_is_refused_with_the_limit(
    page: Client, settings: Settings, stored: Callable[[], list[str]]
) -> None:
    settings.AUDIO_MAX_BYTES = 2**20
    answer = by_script(page, file=file("long.wav", wav(chords(30.0))))
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.json()["error"]["message"]  # type: ignore[attr-defined]
    assert stored() == []


@pytest.mark.parametrize(
    ("name", "title"),
    [("../../evil.wav", "evil"), ("노래" * 150 + ".wav", None), ("", None), ("a\u202egnp.wav", None)],
)
def test_names_are_for_display_only(
    page: Client, stored: Callable[[], list[str]], name: str, title: str | None
) -> None:
    upload = file("x.wav")
    upload._name = name or "x.wav"  # type: ignore[attr-defined]
    answer = by_script(page, file=upload)
    assert answer.status_code == 201
    track = Track.objects.get()
    assert 0 < len(track.title) <= 200
    assert title is None or track.title == title
    assert "\u202e" not in track.title
    assert all(part not in stored()[0] for part in ("evil", "노래", ".."))


def test_a_take_of_the_recorder_keeps_its_title_and_where_it_came_from(page: Client) -> None:
    title = "Recording 2026-11-20 14:03"
    take = file("recording-2026-11-20-14-03.webm", encoded("webm", "libopus", rate=48000))
    answer = by_script(page, file=take, title=title, source="recording")
    assert answer.status_code == 201
    track = Track.objects.get()
    assert (track.title, track.source, track.codec) == (title, "recording", "opus")


def test_a_page_cannot_pass_a_file_off_as_the_catalogues(page: Client, owner: User) -> None:
    by_script(page, file=file(), source="catalogue")
    track = Track.objects.get()
    assert (track.source, track.visibility, track.owner) == ("upload", "private", owner)


def test_a_script_sends_one_file_at_a_time(page: Client) -> None:
    assert by_script(page).status_code == 400
    assert by_script(page, file=[file(), file("b.wav")]).status_code == 400
    assert not Track.objects.exists()


@pytest.mark.django_db
def test_whoever_is_signed_out_is_told_so(client: Client, stored: Callable[[], list[str]]) -> None:
    answer = by_script(client, file=file())
    assert answer.status_code == 401
    assert "Sign in again" in answer.json()["error"]["message"]  # type: ignore[attr-defined]
    plain = client.post(URL, {"file": file()})
    assert plain.status_code == 302
    assert plain.headers["Location"].startswith(reverse("account_login"))
    assert not Track.objects.exists()
    assert stored() == []


def test_a_request_from_elsewhere_is_refused(owner: User) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(owner)
    answer = careful.post(URL, {"file": file()})
    assert answer.status_code == 403
    assert "That page was too old" in answer.content.decode()
    assert not Track.objects.exists()


def test_whoever_opens_its_address_lands_where_files_are_chosen(page: Client) -> None:
    assert page.get(URL)["Location"] == reverse("library:home")


# --- without a script ------------------------------------------------------------------------------------
def test_a_plain_form_takes_many_and_the_rest_goes_on_if_one_fails(page: Client) -> None:
    files = [
        file("a.wav"),
        file("broken.mp3", b"no music" * 99),
        file("b.wav", wav(chords(seed=1))),
        file("c.flac", encoded("flac", "flac")),
    ]
    answer = page.post(URL, {"file": files}, follow=True)
    assert answer.redirect_chain == [(reverse("library:history"), 302)]
    assert set(Track.objects.values_list("title", flat=True)) == {"a", "b", "c"}
    html = answer.content.decode()
    assert "broken.mp3: This is not an audio file." in html
    assert "3 files were taken." in html


def test_a_plain_form_with_one_file_leads_to_its_result(page: Client) -> None:
    answer = page.post(URL, {"file": file()})
    assert answer.headers["Location"] == reverse("library:track", args=[Track.objects.get().pk])


def test_a_plain_form_with_nothing_in_it_says_so(page: Client) -> None:
    answer = page.post(URL, {}, follow=True)
    assert answer.redirect_chain == [(reverse("library:home"), 302)]
    assert "Choose at least one file." in answer.content.decode()


def test_a_plain_form_with_only_refused_files_stays_at_the_start(page: Client) -> None:
    answer = page.post(URL, {"file": file("a.mp3", b"x" * 999)}, follow=True)
    assert answer.redirect_chain == [(reverse("library:home"), 302)]
    assert "a.mp3: This is not an audio file." in answer.content.decode()
