"""A queued track is analysed once or fails with a reason; a worker that lost its claim stores nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import Settings

from classifier import registry
from classifier.core.analysis import TrackAnalysis, analyse
from classifier.core.chroma import DESCRIPTOR_SIZE
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.services import analysis
from library.services.tracks import add_track, analyse_again, delete_tracks
from library.tests.sounds import chords, encoded, silence, wav

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("classifier_in_service")]

Stored = Callable[[], list[str]]


def add(owner: User, sound: bytes, name: str = "song.wav") -> Track:
    return add_track(owner=owner, file=ContentFile(sound, name=name), name=name).track


def analysed(owner: User, sound: bytes, name: str = "song.wav") -> Track:
    track = add(owner, sound, name)
    assert analysis.analyse_track(track_id=track.pk) is True
    track.refresh_from_db()
    return track


def test_a_track_gets_its_whole_verdict(
    owner: User, stored: Stored, classifier_in_service: ModelVersion
) -> None:
    track = analysed(owner, wav(chords(12, seed=1)))
    assert (track.status, track.step, track.error_code, track.attempt) == ("done", "", "", 1)
    assert track.duration == pytest.approx(12, abs=0.01)
    assert track.finished_at is not None
    current = track.current
    assert current is not None
    assert current.model_version == classifier_in_service
    assert sorted(current.probabilities) == sorted(classifier_in_service.labels)
    assert sum(current.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert current.timeline[0]["start"] == 0
    assert current.timeline[-1]["end"] == pytest.approx(12, abs=0.01)
    for before, after in zip(current.timeline, current.timeline[1:], strict=False):
        assert before["end"] == after["start"]
    assert np.linalg.norm(current.descriptor) == pytest.approx(1, abs=1e-4)
    assert len(current.descriptor) == DESCRIPTOR_SIZE
    assert current.embedding is not None
    assert max(current.peaks) <= 127
    assert min(current.peaks) >= -127
    for field in current.files:
        assert default_storage.open(field.name).read(3) == b"\xff\xd8\xff"
        assert str(field.name).endswith(".jpeg")
    # The sound and four pictures, and nothing else.
    assert len(stored()) == 5


def test_nothing_happens_to_a_track_that_does_not_wait(owner: User) -> None:
    track = analysed(owner, wav())
    assert analysis.analyse_track(track_id=track.pk) is False
    assert Analysis.objects.count() == 1


def test_a_track_analysed_again_keeps_its_first_verdict_in_its_history(owner: User) -> None:
    track = analysed(owner, wav())
    first = track.current_id
    assert analyse_again(track=track) is True
    assert analyse_again(track=track) is False
    # Until the new verdict is there, the old one stands.
    assert (track.status, track.current_id) == ("queued", first)
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert track.status == "done"
    assert track.current_id != first
    assert track.analyses.count() == 2


def test_silence_is_never_a_confident_genre(owner: User) -> None:
    current = analysed(owner, silence(5)).current
    assert current is not None
    assert current.unsure
    assert (current.music, current.genre) == (False, "")


def test_what_a_browser_cannot_play_gets_a_rendition_that_it_can(owner: User) -> None:
    plain = analysed(owner, wav())
    assert not plain.rendition
    exotic = analysed(owner, encoded("aiff", "pcm_s16be"), "song.aiff")
    assert exotic.status == "done"
    assert str(exotic.rendition.name).endswith(".mp3")
    assert exotic.player_url != exotic.sound.url


def test_a_file_that_was_cut_off_tells_how_long_it_was(owner: User) -> None:
    whole = wav(chords(8, seed=1))
    track = analysed(owner, whole[: len(whole) // 2])
    assert track.status == "done"
    assert track.duration == pytest.approx(4, abs=0.01)
    assert track.current is not None
    assert track.current.expected_duration == pytest.approx(8, abs=0.01)
    assert track.current.damaged is False
    # A browser would show eight seconds.
    assert track.rendition


@pytest.mark.slow
def test_a_header_that_claims_more_than_the_limit_refuses_nothing(owner: User, settings: Settings) -> None:
    settings.AUDIO_MAX_SECONDS = 60
    sound = encoded("mp3", "libmp3lame", seconds=5.0)
    at = sound.index(b"Info") + 8
    track = analysed(owner, sound[:at] + (2400 * 44100 // 1152).to_bytes(4, "big") + sound[at + 4 :])
    assert track.status == "done"
    assert track.duration == pytest.approx(5, abs=0.05)


def test_a_file_that_turns_out_bad_fails_with_its_reason(owner: User, settings: Settings) -> None:
    track = add(owner, wav(chords(5)))
    settings.AUDIO_MAX_SECONDS = 4
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert (track.status, track.error_code) == ("failed", "too_long")
    assert track.current is None


def test_a_sound_that_is_gone_fails_with_its_reason(owner: User) -> None:
    track = add(owner, wav())
    default_storage.delete(str(track.sound.name))
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert (track.status, track.error_code) == ("failed", "file_missing")


def test_a_fault_that_may_pass_is_tried_three_times(
    owner: User, monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    track = add(owner, wav())

    def broken(*_: object, **__: object) -> TrackAnalysis:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(analysis, "analyse", broken)
    seen = []
    for _ in range(3):
        analysis.analyse_track(track_id=track.pk)
        track.refresh_from_db()
        seen.append((track.status, track.error_code))
    assert seen == [("queued", ""), ("queued", ""), ("failed", "internal")]
    assert len(stored()) == 1
    # A user may request it again, and then it works.
    monkeypatch.undo()
    assert analyse_again(track=track)
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert track.status == "done"


def test_a_track_deleted_in_the_middle_leaves_nothing_behind(
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
    stored: Stored,
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    track = add(owner, wav())

    def deleted_meanwhile(file: BinaryIO, **options: object) -> TrackAnalysis:
        result = analyse(file, **options)  # type: ignore[arg-type]  # the service's own arguments
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]  # a context manager
            delete_tracks(Track.objects.filter(pk=track.pk))
        return result

    monkeypatch.setattr(analysis, "analyse", deleted_meanwhile)
    assert analysis.analyse_track(track_id=track.pk) is False
    assert not Track.objects.exists()
    assert not Analysis.objects.exists()
    assert stored() == []


def test_a_worker_that_was_overtaken_throws_its_verdict_away(
    owner: User, monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    track = add(owner, wav())

    def overtaken(file: BinaryIO, **options: object) -> TrackAnalysis:
        result = analyse(file, **options)  # type: ignore[arg-type]  # the service's own arguments
        Track.objects.filter(pk=track.pk).update(attempt=9)
        return result

    monkeypatch.setattr(analysis, "analyse", overtaken)
    assert analysis.analyse_track(track_id=track.pk) is False
    track.refresh_from_db()
    assert (track.status, track.attempt, track.current) == ("running", 9, None)
    assert not Analysis.objects.exists()
    assert len(stored()) == 1


def test_a_full_disk_leaves_no_half_verdict(
    owner: User, monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    track = add(owner, wav())
    real = type(default_storage._wrapped)._save  # type: ignore[attr-defined]  # the storage behind the lazy one
    written = 0

    def full_after_two(self: object, name: str, content: object) -> str:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(28, "No space left on device")
        return str(real(self, name, content))

    monkeypatch.setattr(type(default_storage._wrapped), "_save", full_after_two)  # type: ignore[attr-defined]
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert track.status == "queued"
    assert not Analysis.objects.exists()
    assert len(stored()) == 1


def test_without_a_classifier_the_track_waits(owner: User) -> None:
    track = add(owner, wav())
    ModelVersion.objects.update(is_in_service=False)
    analysis.analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert (track.status, track.error_code) == ("queued", "")
    with pytest.raises(registry.NoClassifierError, match="sync_release"):
        registry.in_service()
