"""What the library tells webhooks: once, in the transaction that makes it true, and to the owner alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from genreweb.accounts.models import User, WebhookDelivery
from genreweb.accounts.webhook_models import WebhookEvent
from genreweb.accounts.webhooks import service
from library.models import Track, UploadBatch
from library.services import analysis, batches, events
from library.services.tracks import add_track, analyse_again
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _hooks(owner: User, other: User) -> None:
    for user in (owner, other):
        service.create(user=user, address="https://example.org/", events=WebhookEvent.values)


def told(user: User) -> list[dict[str, Any]]:
    rows = WebhookDelivery.objects.filter(webhook__user=user).order_by("created", "pk")
    return [json.loads(row.body) for row in rows]


def sound(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.mark.slow
@pytest.mark.usefixtures("classifier_in_service")
def test_a_verdict_and_a_failure_are_told_to_their_owner(
    owner: User, other: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SITE_URL = "https://music.example.org"
    track = add_track(owner=owner, name="song.wav", file=sound("song.wav", wav(chords(3, seed=1)))).track
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    [message] = told(owner)
    assert message["type"] == "track.analysed"
    assert message["data"]["track"] == {
        "id": str(track.pk),
        "title": track.title,
        "link": f"https://music.example.org/api/v1/tracks/{track.pk}/",
    }
    assert track.current is not None
    assert message["data"]["verdict"]["genre"] == (track.current.genre or None)
    # Where the transaction fails, nothing is told of it.
    analyse_again(track=track)
    with monkeypatch.context() as broken:
        broken.setattr(events, "_batches_of_on_commit", _fail)
        analysis.analyse_track(track_id=track.pk)
    assert len(told(owner)) == 1
    Track.objects.update(status="queued", sound="nowhere.wav", tries=0)
    analysis.analyse_track(track_id=track.pk)
    assert told(owner)[1]["data"]["error"] == {"code": "file_missing"}
    assert told(other) == []


def _fail(*_args: Any, **_more: Any) -> None:
    raise RuntimeError


@pytest.mark.slow
@pytest.mark.usefixtures("classifier_in_service")
def test_an_upload_is_told_of_once_all_its_tracks_are_done(
    owner: User, other: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    files = [sound(f"{seed}.wav", wav(chords(3, seed=seed))) for seed in (1, 2)] + [sound("no.mp3", b"No.")]
    with django_capture_on_commit_callbacks(execute=True):
        batch = batches.add_files(owner=owner, files=files)
    first, second = Track.objects.order_by("created")

    def done() -> list[dict[str, Any]]:
        return [one["data"]["upload"] for one in told(owner) if one["type"] == "batch.finished"]

    for track, count in ((first, 0), (second, 1), (second, 1)):
        Track.objects.filter(pk=track.pk).update(status="queued")
        with django_capture_on_commit_callbacks(execute=True):
            analysis.analyse_track(track_id=track.pk)
        assert len(done()) == count
    [upload] = done()
    assert upload["id"] == str(batch.pk)
    assert (upload["files"], upload["refused"], upload["analysed"], upload["failed"]) == (3, 1, 2, 0)
    assert told(other) == []
    # Nothing to wait for: told at once.
    with django_capture_on_commit_callbacks(execute=True):
        batches.add_files(owner=owner, files=[sound("no.mp3", b"No.")])
    assert len(done()) == 2
    assert UploadBatch.objects.filter(announced=True).count() == 2
