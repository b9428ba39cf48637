"""What a worker makes of a clip that waits: a piece to review, several pieces, or a reason."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier import decoding
from classifier.core.audio import Audio, decode
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from library.tests.sounds import RATE, chords, encoded, silence, wav
from training.models import Clip, Dataset
from training.services import checking
from training.services.checking import check_clip, sweep
from training.services.clips import submit_clip, withdraw
from training.services.features import read_features
from training.services.pieces import divide

pytestmark = pytest.mark.django_db

Stored = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _at_once(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Iterator[None]:
    """Run what waits for a commit when the test's block ends; messages go nowhere."""
    with mock.patch("celery.Celery.send_task"):
        yield


@pytest.fixture
def sent(owner: User, genres: dict[str, Genre]) -> Callable[..., Clip]:
    def make(sound: bytes, *, genre: str = "blues", name: str = "song.wav", **fields: Any) -> Clip:
        file = ContentFile(sound, name=name)
        return submit_clip(
            contributor=owner, genre=genres[genre], file=file, name=name, rights=True, **fields
        ).clip

    return make


@pytest.fixture
def check(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Callable[[Clip], bool]:
    def run(clip: Clip) -> bool:
        with django_capture_on_commit_callbacks(execute=True):
            return check_clip(clip_id=clip.pk)

    return run


Check = Callable[[Clip], bool]
Sent = Callable[..., Clip]


def test_a_good_clip_waits_for_review_with_all_that_a_curator_needs(
    classifier_in_service: ModelVersion, sent: Sent, check: Check, stored: Stored
) -> None:
    clip = sent(encoded("flac", "flac", seconds=6.0))
    upload = clip.sound.name
    assert check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.claimed, clip.error_code) == ("pending", False, "")
    assert (clip.start, clip.end) == (None, None)
    assert clip.duration == pytest.approx(6.0, abs=0.1)
    assert clip.sound.name != upload
    assert stored() == sorted(map(str, [clip.features, clip.sound]))
    heard = sound_of(clip)
    assert heard.info.codec == "mp3"
    assert heard.info.duration == pytest.approx(6.0, abs=0.15)
    assert clip.size == clip.sound.size
    features = read_features(clip)
    assert features.sha256 == clip.features_sha256
    assert features.summary is not None
    assert np.isfinite(features.summary).all()
    assert clip.feature_version == "1"
    assert clip.opinion_version == classifier_in_service
    assert sum(clip.opinion.values()) == pytest.approx(1, abs=1e-3)
    assert clip.disputed == pytest.approx(1 - clip.opinion["blues"], abs=1e-4)
    assert len(clip.embedding) > 8


def test_a_piece_is_cut_where_the_contributor_said(sent: Sent, check: Check) -> None:
    samples = np.concatenate([chords(5, seed=1), chords(4, seed=2), chords(5, seed=3)])
    clip = sent(wav(samples), start=5.0, end=9.0)
    assert check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.start, clip.end, clip.duration) == ("pending", 5.0, 9.0, 4.0)
    heard = sound_of(clip).samples
    middle, apart = chords(4, seed=2), chords(4, seed=1)
    assert _likeness(heard, middle) > 0.9
    assert _likeness(heard, apart) < 0.3
    assert clip.opinion_version is None
    assert clip.opinion == {}


def sound_of(clip: Clip) -> Audio:
    """Decode what is kept of a clip."""
    return decode(io.BytesIO(clip.sound.read()))


def _likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Give the largest normalised cross-correlation of two sounds."""
    n = 1 << (a.size + b.size).bit_length()
    cross = np.fft.irfft(np.fft.rfft(a, n) * np.conj(np.fft.rfft(b, n)), n)
    return float(np.abs(cross).max() / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_an_end_beyond_the_recording_is_brought_back(sent: Sent, check: Check) -> None:
    clip = sent(wav(chords(8)), start=2.0, end=20.0)
    check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.duration) == ("pending", 6.0)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (3.0, [(0, 3)]),
        (30.0, [(0, 30)]),
        (30.02, [(0, 30)]),
        (39.9, [(0, 30)]),
        (41.0, [(0, 30), (30, 41)]),
        (95.0, [(0, 30), (30, 60), (60, 90)]),
        (300.0, [(30 * place, 30 * place + 30) for place in range(10)]),
    ],
)
def test_a_recording_is_divided(duration: float, expected: list[tuple[float, float]]) -> None:
    assert [(span.start, span.end) for span in divide(duration)] == expected


def test_of_a_long_recording_ten_pieces_are_taken_from_all_over_it() -> None:
    pieces = divide(1200.0)
    assert len(pieces) == 10
    assert (pieces[0].start, pieces[-1].end) == (0.0, 1200.0)
    assert all(piece.seconds == pytest.approx(30) for piece in pieces)


@pytest.mark.slow
def test_a_long_recording_becomes_several_clips_and_does_so_once(
    sent: Sent, check: Check, stored: Stored, genres: dict[str, Genre], owner: User
) -> None:
    clip = sent(wav(chords(72)), genre="jazz", title="Long", artist="Us", comment="live")
    assert check(clip)
    assert not check(clip)
    pieces = list(Clip.objects.order_by("created", "start"))
    assert len(pieces) == 3
    first, *others = pieces
    assert (first.pk, first.start, first.duration, first.origin) == (clip.pk, None, 30.0, None)
    assert [(p.start, p.end, p.origin) for p in others] == [(30.0, 60.0, first), (60.0, 72.0, first)]
    for piece in pieces:
        shared = (piece.status, piece.title, piece.artist, piece.comment, piece.genre.slug, piece.contributor)
        assert shared == ("pending", "Long", "Us", "live", "jazz", owner)
        assert piece.rights_confirmed_at == first.rights_confirmed_at
        assert piece.features
    assert len(stored()) == 6
    assert len({piece.features_sha256 for piece in pieces}) == 3
    again = submit_clip(
        contributor=owner, genre=genres["jazz"], file=ContentFile(wav(chords(72))), name="x", rights=True
    )
    assert (again.duplicate, again.clip) == (True, first)


@pytest.mark.slow
def test_pieces_that_are_there_are_not_made_twice(
    sent: Sent,
    check: Check,
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    clip = sent(wav(chords(72)))
    check(clip)
    with django_capture_on_commit_callbacks(execute=True):
        withdraw(clip=clip)
    assert Clip.objects.count() == 2
    check(sent(wav(chords(72))))
    assert Clip.objects.count() == 3
    assert len(stored()) == 6


@pytest.mark.slow
def test_silent_pieces_are_left_out(sent: Sent, check: Check) -> None:
    quiet = np.zeros(30 * RATE, np.float32)
    clip = sent(wav(np.concatenate([quiet, chords(30)])))
    check(clip)
    clip.refresh_from_db()
    assert (Clip.objects.count(), clip.status) == (1, "pending")
    assert _likeness(sound_of(clip).samples, chords(30)) > 0.9


@pytest.mark.parametrize(
    ("sound", "piece", "code"),
    [
        (silence(8.0), (None, None), "silent"),
        (wav(np.concatenate([chords(0.5), np.zeros(8 * RATE, np.float32)])), (None, None), "silent"),
        (wav(chords(9)), (20.0, 25.0), "piece_outside"),
        (wav(chords(9)), (7.5, 12.0), "piece_too_short"),
    ],
)
def test_what_is_of_no_use_is_not_kept(  # noqa: PLR0917  fixtures
    sent: Sent,
    check: Check,
    stored: Stored,
    sound: bytes,
    piece: tuple[float | None, float | None],
    code: str,
) -> None:
    clip = sent(sound, start=piece[0], end=piece[1])
    assert check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.claimed, clip.error_code) == ("failed", False, code)
    assert (stored(), clip.sound.name) == ([], "")


def test_a_file_that_turns_out_to_be_broken_is_said(sent: Sent, check: Check, stored: Stored) -> None:
    clip = sent(wav(chords(9)))
    clip.sound.storage.delete(str(clip.sound.name))
    clip.sound.save("x.wav", ContentFile(b"RIFF" + b"\0" * 500), save=True)
    check(clip)
    clip.refresh_from_db()
    assert clip.status == "failed"
    assert clip.error_code in {"truncated", "not_audio"}
    assert stored() == []


def test_a_recorded_no_music_is_no_reason_to_refuse(
    classifier_in_service: ModelVersion, sent: Sent, check: Check
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 6 * RATE).astype(np.float32)
    clip = sent(wav(noise))
    check(clip)
    clip.refresh_from_db()
    assert clip.status == "pending"
    assert clip.heard_music is False
    assert clip.opinion_version == classifier_in_service


def test_a_clip_from_a_track_is_cut_from_the_tracks_sound(
    owner: User, genres: dict[str, Genre], queued_track: Callable[..., Track], check: Check, stored: Stored
) -> None:
    track = queued_track(owner)
    track.sound.save("song.wav", ContentFile(wav(chords(6))))
    clip = submit_clip(contributor=owner, genre=genres["pop"], track=track, rights=True).clip
    check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.track) == ("pending", track)
    assert track.sound.name in stored()
    assert _likeness(sound_of(clip).samples, chords(6)) > 0.9
    track.delete()
    clip.refresh_from_db()
    assert clip.track is None


def test_a_track_that_is_gone_before_is_said(
    owner: User, genres: dict[str, Genre], queued_track: Callable[..., Track], check: Check
) -> None:
    track = queued_track(owner)
    clip = submit_clip(contributor=owner, genre=genres["pop"], track=track, rights=True).clip
    track.delete()
    check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.error_code) == ("failed", "track_gone")


@pytest.mark.slow
@pytest.mark.parametrize(("trusted", "status"), [(True, "approved"), (False, "pending")])
def test_a_datasets_clip_is_one_clip(
    genres: dict[str, Genre], check: Check, trusted: bool, status: str
) -> None:
    dataset = Dataset.objects.create(name="Set", trusted=trusted)
    clip = Clip(
        dataset=dataset,
        dataset_key="a/b",
        part="test",
        repetition_group="r1",
        genre=genres["pop"],
        contributed_genre=genres["pop"],
        sha256="1" * 64,
    )
    clip.sound.save("x.wav", ContentFile(wav(chords(64))), save=False)
    clip.save(force_insert=True)
    check(clip)
    clip.refresh_from_db()
    assert (Clip.objects.count(), clip.status, clip.duration) == (1, status, 30.0)
    assert (clip.part, clip.repetition_group, clip.leaks) == ("test", "r1", False)


@pytest.mark.slow
def test_a_clip_withdrawn_meanwhile_leaves_nothing(sent: Sent, stored: Stored) -> None:
    clip = sent(wav(chords(64)))
    keep = checking._keep

    def withdraw_first(*args: Any) -> None:
        Clip.objects.filter(pk=clip.pk).delete()
        keep(*args)

    with mock.patch.object(checking, "_keep", withdraw_first):
        assert not check_clip(clip_id=clip.pk)
    assert Clip.objects.count() == 0
    # Its upload is what `withdraw` removes, which this test did without.
    assert stored() == [clip.sound.name]


def test_a_worker_that_was_overtaken_changes_nothing(sent: Sent, stored: Stored) -> None:
    clip = sent(wav(chords(6)))
    keep = checking._keep

    def overtaken(*args: Any) -> None:
        keep(*args)
        Clip.objects.filter(pk=clip.pk).update(attempt=7)

    with mock.patch.object(checking, "_keep", overtaken):
        assert not check_clip(clip_id=clip.pk)
    row = Clip.objects.get()
    assert (row.status, row.features.name, stored()) == ("checking", "", [clip.sound.name])


def test_of_two_workers_one_gets_the_clip(sent: Sent, check: Check) -> None:
    clip = sent(wav(chords(6)))
    Clip.objects.filter(pk=clip.pk).update(claimed=True)
    assert not check(clip)
    assert Clip.objects.get().attempt == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [(SoftTimeLimitExceeded(), "time_limit"), (FileNotFoundError(), "file_missing")],
)
def test_faults_that_do_not_pass_are_said_at_once(
    sent: Sent, check: Check, stored: Stored, fault: BaseException, code: str
) -> None:
    clip = sent(wav(chords(6)))
    with mock.patch.object(decoding.shared, "decode", side_effect=fault):
        check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.error_code) == ("failed", code)
    assert stored() == [clip.sound.name]


def test_faults_that_may_pass_are_tried_three_times(sent: Sent, check: Check, stored: Stored) -> None:
    clip = sent(wav(chords(6)))
    for tries in (1, 2):
        with mock.patch.object(decoding.shared, "decode", side_effect=OSError("the disk is tired")):
            assert check(clip)
        clip.refresh_from_db()
        assert (clip.status, clip.claimed, clip.tries) == ("checking", False, tries)
    with mock.patch("library.tests.storages.PathlessStorage._save", side_effect=OSError("full")):
        check(clip)
    clip.refresh_from_db()
    assert (clip.status, clip.error_code) == ("failed", "internal")
    assert stored() == [clip.sound.name]


def test_the_sweeper_takes_clips_from_dead_workers(sent: Sent) -> None:
    lost, last = sent(wav(chords(6))), sent(wav(chords(6)), start=0, end=4)
    long_ago = timezone.now() - timedelta(minutes=5)
    Clip.objects.update(claimed=True, heartbeat_at=long_ago)
    Clip.objects.filter(pk=last.pk).update(tries=3)
    with (
        mock.patch("library.services.queue.waiting", return_value=0),
        mock.patch("training.services.checking.queue.send_check", return_value=True) as again,
    ):
        assert sweep() == 1
        assert sweep() == 0
    again.assert_called_once_with(lost.pk, bulk=False)
    lost.refresh_from_db()
    last.refresh_from_db()
    assert (lost.status, lost.claimed) == ("checking", False)
    assert (last.status, last.error_code, last.claimed) == ("failed", "worker_lost", False)


@pytest.mark.parametrize("messages", [None, 60])
def test_the_sweeper_waits_while_the_queue_is_long_or_away(sent: Sent, messages: int | None) -> None:
    sent(wav(chords(6)))
    Clip.objects.update(queued_at=timezone.now() - timedelta(minutes=5))
    with (
        mock.patch("library.services.queue.waiting", return_value=messages),
        mock.patch("training.services.checking.queue.send_check") as again,
    ):
        assert sweep() == 0
    again.assert_not_called()
