"""Clips are sent once, checked by a worker, and taken back whenever their contributor likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.core.files.base import ContentFile
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from genreweb.domain_errors import DomainError
from library.models import Track
from library.tests.sounds import chords, wav
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingRun
from training.services.clips import Submitted, submit_clip, withdraw
from training.services.versions import LearntClips, learnt_clips
from training.tests.clips import make_clip

pytestmark = pytest.mark.django_db

Stored = Callable[[], list[str]]


def send(owner: User, genre: Genre, sound: bytes | None = None, **fields: Any) -> Submitted:
    file = ContentFile(wav() if sound is None else sound, name=fields.get("name", "song.wav"))
    given = {"rights": True, "name": "song.wav", **fields}
    return submit_clip(contributor=owner, genre=genre, file=file, **given)


def test_a_sound_is_stored_and_waits_for_its_checks(
    owner: User,
    genres: dict[str, Genre],
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with (
        mock.patch("celery.Celery.send_task") as sent,
        django_capture_on_commit_callbacks(execute=True),
    ):
        made = send(
            owner, genres["blues"], artist=" B.B.\x00King ", comment="line\r\none\x07\u202e\n", start=0
        )
    clip = Clip.objects.get()
    assert (made.clip, made.duplicate) == (clip, False)
    assert sent.call_args.args == ("training.tasks.check_clip", (str(clip.pk),))
    assert sent.call_args.kwargs["queue"] == "analysis"
    assert (clip.status, clip.claimed, clip.genre.slug) == ("checking", False, "blues")
    assert (clip.title, clip.artist, clip.comment) == ("song", "B.B. King", "line\none")
    assert (clip.start, clip.end) == (0.0, 30.0)
    assert clip.rights_confirmed_at is not None
    assert stored() == [clip.sound.name]
    assert clip.sound.read() == wav()


def test_many_clips_of_a_person_wait_behind_those_of_others(
    owner: User,
    other: User,
    genres: dict[str, Genre],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with (
        mock.patch("celery.Celery.send_task") as sent,
        django_capture_on_commit_callbacks(execute=True),
    ):
        for start in range(6):
            send(owner, genres["blues"], start=start)
        send(other, genres["blues"])
    queues = [call.kwargs["queue"] for call in sent.call_args_list]
    assert queues == ["analysis"] * 4 + ["bulk"] * 2 + ["analysis"]


def test_without_the_rights_nothing_is_taken(owner: User, genres: dict[str, Genre], stored: Stored) -> None:
    with pytest.raises(DomainError) as refused:
        send(owner, genres["blues"], rights=False)
    assert refused.value.code == "rights_missing"
    assert (Clip.objects.count(), stored()) == (0, [])


@pytest.mark.parametrize(
    ("sound", "code"),
    [
        (b"", "empty"),
        (b"<html>not a sound</html>" * 50, "not_audio"),
        (wav()[:30], "truncated"),
        (wav(chords(2.5)), "too_short"),
    ],
)
def test_a_bad_file_is_refused_at_once(
    owner: User, genres: dict[str, Genre], stored: Stored, sound: bytes, code: str
) -> None:
    with pytest.raises(DomainError) as refused:
        send(owner, genres["blues"], sound)
    assert refused.value.code == code
    assert (Clip.objects.count(), stored()) == (0, [])


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        ((float("nan"), None), "piece_invalid"),
        ((0, float("inf")), "piece_invalid"),
        ((-1, 5), "piece_invalid"),
        ((5, 5), "piece_invalid"),
        ((9, 5), "piece_invalid"),
        ((0, 2.9), "piece_too_short"),
        ((0, 31), "piece_too_long"),
        ((1e300, None), "piece_invalid"),
    ],
)
def test_a_piece_must_be_one(
    owner: User, genres: dict[str, Genre], stored: Stored, piece: tuple[float, float | None], code: str
) -> None:
    with pytest.raises(DomainError) as refused:
        send(owner, genres["blues"], start=piece[0], end=piece[1])
    assert refused.value.code == code
    assert (Clip.objects.count(), stored()) == (0, [])


def test_the_same_piece_is_one_row(
    owner: User, other: User, genres: dict[str, Genre], stored: Stored
) -> None:
    first = send(owner, genres["blues"])
    again = send(owner, genres["rock"], name="another name.wav")
    assert (again.clip, again.duplicate) == (first.clip, True)
    assert again.clip.genre.slug == "blues"
    assert len(stored()) == 1
    assert not send(owner, genres["blues"], start=0, end=3).duplicate
    assert send(owner, genres["blues"], start=0.0001, end=3).duplicate
    assert not send(other, genres["blues"]).duplicate
    assert (Clip.objects.count(), len(stored())) == (3, 3)


def test_the_same_piece_at_the_same_moment_is_one_row(
    owner: User, genres: dict[str, Genre], stored: Stored
) -> None:
    first = send(owner, genres["blues"])
    with mock.patch.object(type(Clip.objects.all()), "first", side_effect=[None, first.clip]):
        again = send(owner, genres["blues"])
    assert (again.clip, again.duplicate) == (first.clip, True)
    assert stored() == [first.clip.sound.name]


def test_what_was_not_accepted_is_tried_again(owner: User, genres: dict[str, Genre], stored: Stored) -> None:
    first = send(owner, genres["blues"]).clip
    Clip.objects.update(status=Clip.Status.FAILED, error_code="internal", tries=3)
    again = send(owner, genres["rock"])
    assert (again.clip.pk, again.duplicate) == (first.pk, False)
    clip = Clip.objects.get()
    assert (clip.status, clip.tries, clip.error_code, clip.genre.slug) == ("checking", 0, "", "rock")
    assert clip.sound.read() == wav()


def test_a_full_disk_is_said_and_leaves_nothing(
    owner: User, genres: dict[str, Genre], stored: Stored
) -> None:
    full = OSError(28, "No space left on device")
    with (
        mock.patch("library.tests.storages.PathlessStorage._save", side_effect=full),
        pytest.raises(DomainError) as refused,
    ):
        send(owner, genres["blues"])
    assert refused.value.code == "storage_full"
    assert (Clip.objects.count(), stored()) == (0, [])


def test_a_row_that_cannot_be_written_takes_its_sound_away(
    owner: User, genres: dict[str, Genre], stored: Stored
) -> None:
    with (
        mock.patch.object(Clip, "save", side_effect=RuntimeError),
        pytest.raises(RuntimeError),
    ):
        send(owner, genres["blues"])
    assert stored() == []


def test_a_genre_that_was_just_deleted_is_said(owner: User, genres: dict[str, Genre], stored: Stored) -> None:
    from django.db import IntegrityError

    with (
        mock.patch.object(Clip, "save", side_effect=IntegrityError),
        pytest.raises(DomainError) as refused,
    ):
        send(owner, genres["blues"])
    assert refused.value.code == "unknown_genre"
    assert stored() == []


def test_a_clip_comes_from_a_track_of_ones_own(
    owner: User,
    other: User,
    genres: dict[str, Genre],
    queued_track: Callable[..., Track],
    stored: Stored,
) -> None:
    track = queued_track(owner, title="My song", artist="Me", duration=40.0)
    made = submit_clip(contributor=owner, genre=genres["pop"], track=track, rights=True)
    assert (made.clip.title, made.clip.artist, made.clip.sha256) == ("My song", "Me", track.sha256)
    assert made.clip.track == track
    assert stored() == [track.sound.name]
    assert submit_clip(contributor=owner, genre=genres["pop"], track=track, rights=True).duplicate
    for stranger in (other, User.objects.create_superuser("root@example.org")):
        with pytest.raises(DomainError) as refused:
            submit_clip(contributor=stranger, genre=genres["pop"], track=track, rights=True)
        assert refused.value.code == "unknown_track"
    with pytest.raises(DomainError) as refused:
        submit_clip(contributor=owner, genre=genres["pop"], track=track, rights=True, start=38)
    assert refused.value.code == "piece_outside"
    assert Clip.objects.count() == 1


def test_withdrawing_takes_row_and_files(
    owner: User,
    genres: dict[str, Genre],
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    clip, kept = send(owner, genres["blues"]).clip, send(owner, genres["blues"], start=0, end=3).clip
    clip.features.save("f.npz", ContentFile(b"x"))
    with django_capture_on_commit_callbacks(execute=True):
        withdraw(clip=clip)
    assert list(Clip.objects.all()) == [kept]
    assert stored() == [kept.sound.name]


@pytest.mark.parametrize("status", Clip.Status.values)
def test_a_clip_is_withdrawn_in_any_state_and_flags_what_learnt_from_it(  # noqa: PLR0917  fixtures
    status: str,
    owner: User,
    genres: dict[str, Genre],
    version: ModelVersion,
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    clip, kept = make_clip(owner, genres["blues"], status=status), make_clip(owner, genres["blues"])
    snapshot = DatasetSnapshot.objects.create(digest="1" * 64)
    for each in (clip, kept):
        SnapshotClip.objects.create(
            snapshot=snapshot,
            clip=each,
            clip_key=each.pk,
            features_sha256="0" * 64,
            genre="blues",
            split="train",
        )
    TrainingRun.objects.create(
        kind="quick",
        architecture="residual-cnn",
        epochs=1,
        status="done",
        snapshot=snapshot,
        candidate=version,
    )
    assert learnt_clips([version])[version.pk] == LearntClips(2, 0)
    with django_capture_on_commit_callbacks(execute=True):
        withdraw(clip=clip)
    assert list(Clip.objects.all()) == [kept]
    assert stored() == sorted(map(str, [kept.features, kept.sound]))
    assert learnt_clips([version])[version.pk] == LearntClips(2, 1)
