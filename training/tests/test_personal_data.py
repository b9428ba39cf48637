"""People take their clips along, and leave none behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.models import Genre, ModelVersion
from genreweb.accounts import personal_data
from genreweb.accounts.models import User
from training.models import Clip, ClipDecision, Receipt
from training.services import review, tidying
from training.tests.clips import make_clip

Stored = Callable[[], list[str]]


def test_clips_are_taken_along_with_their_sounds(
    owner: User, other: User, genres: dict[str, Genre], version: ModelVersion
) -> None:
    clip = make_clip(owner, genres["blues"], title="A/B: live?", comment="mine", angle=0.0, version=version)
    make_clip(other, genres["rock"], title="not mine")
    Receipt.objects.create(user=owner, version=version, clips=1, genres={"blues": {"clips": 1}})
    files = dict(personal_data.export(owner))
    folder = f"clips/A B live {clip.id.hex[:8]}"
    assert {name for name in files if name.startswith("clips/")} == {
        f"{folder}/clip.json",
        f"{folder}/sound.wav",
    }
    with personal_data.opened(files[f"{folder}/clip.json"]) as file:
        told = json.load(file)
    assert (told["genre"], told["comment"], told["status"]) == ("blues", "mine", "pending")
    assert told["rights_confirmed_at"]
    with personal_data.opened(files[f"{folder}/sound.wav"]) as file:
        assert file.read() == clip.sound.read()
    with personal_data.opened(files["receipts.json"]) as file:
        assert json.load(file)[0]["version"] == "test"


def test_clips_go_with_the_account(
    owner: User,
    other: User,
    genres: dict[str, Genre],
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_clip(owner, genres["blues"])
    make_clip(owner, genres["blues"])
    kept = make_clip(other, genres["rock"])
    assert any(loss.startswith("2 clips") for loss in personal_data.losses(owner))
    with django_capture_on_commit_callbacks(execute=True):
        personal_data.delete_account(user=owner)
    assert list(Clip.objects.all()) == [kept]
    assert stored() == sorted(map(str, [kept.sound, kept.features]))
    assert not any(
        "clip" in loss for loss in personal_data.losses(User.objects.create_user("new@example.org"))
    )


def test_decisions_stay_when_an_account_goes(
    owner: User, curator: User, staff: User, genres: dict[str, Genre]
) -> None:
    theirs, mine = make_clip(owner, genres["blues"]), make_clip(curator, genres["rock"])
    review.approve(clip_id=theirs.pk, by=curator)
    review.reject(clip_id=mine.pk, by=staff, reason="hiss")
    keys = [theirs.pk, mine.pk]

    def kept() -> list[tuple[object, ...]]:
        rows = ClipDecision.objects.order_by("pk")
        return list(rows.values_list("clip", "clip_key", "by", "action", "reason"))

    personal_data.delete_account(user=owner)
    assert kept() == [
        (None, keys[0], curator.pk, "approve", ""),
        (keys[1], keys[1], staff.pk, "reject", "hiss"),
    ]
    personal_data.delete_account(user=curator)
    assert kept() == [(None, keys[0], None, "approve", ""), (None, keys[1], staff.pk, "reject", "hiss")]


def test_files_of_clips_that_no_row_knows_are_tidied(
    owner: User, genres: dict[str, Genre], stored: Stored
) -> None:
    clip = make_clip(owner, genres["blues"])
    orphan = default_storage.save("clips/ab/orphan.mp3", ContentFile(b"x"))
    elsewhere = default_storage.save("versions/ab/file", ContentFile(b"x"))
    assert tidying.tidy() == 0
    later = timezone.now() + timedelta(hours=2)
    with mock.patch("library.services.tidying.timezone.now", return_value=later):
        assert tidying.tidy() == 1
    assert orphan not in stored()
    assert {clip.sound.name, clip.features.name, elsewhere} == set(stored())
