"""A duplicate recording is marked, not removed; one of the test set is never trained on."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from django.apps import apps as django_apps
from django.core.files.base import ContentFile
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier import testset
from classifier.core import fingerprint
from classifier.models import Genre
from classifier.tests.test_fingerprint import CUT, ORIGINAL, piece, recoded, stored
from genreweb.accounts.models import User
from library.tests.sounds import wav
from training.models import Clip
from training.services import duplicates, review, snapshots
from training.services.checking import check_clip
from training.services.clips import submit_clip, withdraw
from training.services.features import pack
from training.tests.clips import make_clip

pytestmark = pytest.mark.django_db

CheckClip = Callable[..., Clip]


@pytest.fixture(autouse=True)
def _no_messages() -> Iterator[None]:
    with mock.patch("celery.Celery.send_task"):
        yield


@pytest.fixture
def checked(
    genres: dict[str, Genre], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> CheckClip:
    """Send a sound and have it checked."""

    def make(contributor: User, samples: np.ndarray, **piece: Any) -> Clip:
        clip = submit_clip(
            contributor=contributor,
            genre=genres["jazz"],
            file=ContentFile(wav(samples)),
            name="x.wav",
            rights=True,
            **piece,
        ).clip
        with django_capture_on_commit_callbacks(execute=True):
            assert check_clip(clip_id=clip.pk)
        clip.refresh_from_db()
        return clip

    return make


@pytest.mark.slow
def test_the_same_recording_is_marked_and_kept(owner: User, other: User, checked: CheckClip) -> None:
    first, unlike = checked(owner, ORIGINAL), checked(owner, piece(5))
    again = checked(other, recoded(CUT, "libmp3lame", "mp3") * 0.2)
    assert (first.duplicate_of, unlike.duplicate_of) == (None, None)
    assert again.duplicate_of == first
    assert (again.status, again.leaks) == ("pending", False)
    assert again.sound.size > 0


@pytest.mark.slow
def test_pieces_of_one_recording_are_not_each_others_duplicates(owner: User, checked: CheckClip) -> None:
    checked(owner, np.tile(piece(3, 15.0), 5))
    assert Clip.objects.count() == 3
    assert not Clip.objects.exclude(duplicate_of=None).exists()


@pytest.mark.slow
def test_withdrawing_the_first_lets_go_of_the_second(owner: User, other: User, checked: CheckClip) -> None:
    first, again = checked(owner, ORIGINAL), checked(other, CUT)
    withdraw(clip=first)
    again.refresh_from_db()
    assert again.duplicate_of is None


@pytest.mark.slow
def test_a_clip_of_the_test_set_is_marked_and_never_used(owner: User, checked: CheckClip) -> None:
    prints = testset.FingerprintIndex.of(("jazz.00042",), [stored(ORIGINAL)])
    with mock.patch.object(testset, "shipped", return_value=prints):
        leak, fine = checked(owner, CUT), checked(owner, piece(5))
    assert (leak.leaks, leak.leaks_into, leak.status) == (True, "jazz.00042", "pending")
    assert (fine.leaks, fine.leaks_into) == (False, "")
    Clip.objects.update(status=Clip.Status.APPROVED)
    assert list(Clip.objects.usable()) == [fine]


@pytest.mark.slow
def test_a_clip_of_the_test_set_in_another_format_is_never_trained_on(
    owner: User, curator: User, checked: CheckClip
) -> None:
    prints = testset.FingerprintIndex.of(("jazz.00042",), [stored(ORIGINAL)])
    # Another format, a cut from between two frames, and another level, all at once.
    guise = recoded(CUT, "libmp3lame", "mp3") * 0.2
    with mock.patch.object(testset, "shipped", return_value=prints):
        leak, fine = checked(owner, guise), checked(owner, piece(5))
    assert (leak.leaks, leak.leaks_into) == (True, "jazz.00042")
    for clip in (leak, fine):
        review.approve(clip_id=clip.pk, by=curator)
    assert {entry.pk for entry in snapshots.plan().entries} == {fine.pk}


def test_clips_without_a_fingerprint_get_one_by_and_by(owner: User, genres: dict[str, Genre]) -> None:
    rng = np.random.default_rng(0)
    db = rng.uniform(-60, 0, (128, 120)).astype(np.float32)
    first, same = make_clip(None, genres["pop"]), make_clip(None, genres["pop"])
    for clip in (first, same):
        clip.features.save("f.npz", ContentFile(pack(db)))
    gone = make_clip(owner, genres["pop"])
    gone.features.storage.delete(str(gone.features.name))
    assert duplicates.fill_in() == 2
    assert duplicates.fill_in() == 0
    for clip in (first, same, gone):
        clip.refresh_from_db()
    assert len(first.fingerprint or []) == 120 - fingerprint.WIDTH + 1 - fingerprint.STEP
    assert (first.duplicate_of, same.duplicate_of) == (None, first)
    assert gone.fingerprint == []


def test_a_test_part_of_its_own_does_not_leak(genres: dict[str, Genre]) -> None:
    db = np.random.default_rng(0).uniform(-60, 0, (128, 120)).astype(np.float32)
    prints = testset.FingerprintIndex.of(("a",), [fingerprint.from_columns(db).stored])
    for part in ("test", "train"):
        make_clip(None, genres["pop"], part=part).features.save("f.npz", ContentFile(pack(db)))
    with mock.patch.object(testset, "shipped", return_value=prints):
        assert duplicates.fill_in() == 2
    assert dict(Clip.objects.values_list("part", "leaks")) == {"test": False, "train": True}


# --- the clips that shipped versions know --------------------------------------------------------------
def known(name: str, db: np.ndarray) -> testset.FingerprintIndex:
    return testset.FingerprintIndex.of((name,), [fingerprint.from_columns(db).stored])


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-60, 0, (128, 120)).astype(np.float32)


def test_a_clip_of_a_data_set_is_known_by_its_sound_whatever_its_file_is_called(
    owner: User, genres: dict[str, Genre]
) -> None:
    fitted, tested, unlike, contributed = (
        make_clip(None, genres["pop"], dataset_key="any/name.wav", title="fitted"),
        make_clip(None, genres["pop"], part="test", title="tested"),
        # The name of a clip that shipped versions know, around another sound.
        make_clip(None, genres["pop"], dataset_key="pop/pop.00001.wav", title="unlike"),
        make_clip(owner, genres["pop"], title="contributed"),
    )
    for clip, seed in ((fitted, 0), (tested, 1), (unlike, 2), (contributed, 0)):
        clip.features.save("f.npz", ContentFile(pack(noise(seed))))
    with (
        mock.patch.object(testset, "fitted", return_value=known("pop.00001", noise(0))),
        mock.patch.object(testset, "shipped", return_value=known("pop.00002", noise(1))),
    ):
        assert duplicates.fill_in() == 4
    assert dict(Clip.objects.values_list("title", "known_as")) == {
        "fitted": "pop.00001",
        "tested": "pop.00002",
        "unlike": "",
        "contributed": "",
    }


def test_clips_from_before_are_recognised_by_their_stored_fingerprints(genres: dict[str, Genre]) -> None:
    migration = importlib.import_module("training.migrations.0007_clips_known_by_fingerprint")
    words = [fingerprint.from_columns(noise(seed)).stored.tolist() for seed in (0, 1)]
    known_one = make_clip(None, genres["pop"], fingerprint=words[0])
    other = make_clip(None, genres["pop"], fingerprint=words[1])
    with mock.patch.object(testset, "fitted", return_value=known("pop.00001", noise(0))):
        migration._recognise(django_apps, None)
    known_one.refresh_from_db()
    other.refresh_from_db()
    assert (known_one.known_as, other.known_as) == ("pop.00001", "")
