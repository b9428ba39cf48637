"""Explanations: requested once, computed once, stored with the analysis, deleted with the track."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, BinaryIO

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.core.explain import Explanation as Measured
from classifier.core.explain import explain_file
from classifier.models import ModelVersion
from genreweb import heartbeat
from genreweb.accounts.models import User
from library.errors import TrackError
from library.models import Analysis, Explanation, Track
from library.services import explanations, queue, tidying
from library.services.analysis import analyse_track
from library.services.tracks import analyse_again, delete_tracks
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db

Make = Callable[..., Track]
Stored = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def empty_queues() -> Iterator[None]:
    def clear() -> None:
        with heartbeat.connect() as redis:
            redis.delete(queue.INTERACTIVE, queue.BULK)

    clear()
    yield
    clear()


@pytest.fixture
def analysis(owner: User, finished_track: Make) -> Analysis:
    """Make a real analysis, with its genre set to jazz, as the prediction for test chords does not matter."""
    track = finished_track(owner, sound=wav(chords(8, seed=1)))
    Analysis.objects.filter(track=track).update(genre="jazz")
    return Analysis.objects.get(track=track)


def make_explanation(analysis: Analysis, **fields: Any) -> Explanation:
    explanation = explanations.request(analysis=analysis)
    if fields:
        Explanation.objects.filter(pk=explanation.pk).update(**fields)
        explanation.refresh_from_db()
    return explanation


def worked_out(analysis: Analysis) -> Explanation:
    explanation = make_explanation(analysis)
    assert explanations.explain(explanation_id=explanation.pk) is True
    explanation.refresh_from_db()
    return explanation


@pytest.mark.slow
def test_an_explanation_is_worked_out_and_kept(analysis: Analysis, stored: Stored) -> None:
    before = stored()
    explanation = worked_out(analysis)
    assert (explanation.status, explanation.error_code, explanation.attempt) == ("done", "", 1)
    assert explanation.finished_at is not None
    summary = explanation.summary
    assert summary["genre"] == "jazz"
    effects = np.array(summary["effects"])
    assert effects.shape == (len(summary["bands"]) - 1, len(summary["slices"]) - 1)
    assert effects.any()
    assert (summary["slices"][0], summary["slices"][-1]) == (0, pytest.approx(8, abs=0.01))
    for part in summary["bands_for"] + summary["bands_against"]:
        assert part["from"] in summary["bands"]
        assert part["to"] in summary["bands"]
        assert 0 < part["share"] <= 1
    [name] = set(stored()) - set(before)
    assert name == explanation.picture.name
    picture = Image.open(default_storage.open(name))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (1600, 256))


@pytest.mark.slow
def test_asking_twice_is_asking_once(
    analysis: Analysis, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = explanations.request(analysis=analysis)
        second = explanations.request(analysis=analysis)
    assert first.pk == second.pk
    assert queue.waiting() == 1
    assert explanations.explain(explanation_id=first.pk) is True
    assert explanations.explain(explanation_id=first.pk) is False
    done = explanations.request(analysis=analysis)
    assert (done.status, done.attempt) == ("done", 1)
    assert queue.waiting() == 1


@pytest.mark.slow
def test_without_music_there_is_nothing_to_explain(analysis: Analysis) -> None:
    analysis.genre = ""
    with pytest.raises(TrackError) as refused:
        explanations.request(analysis=analysis)
    assert refused.value.code == "no_music"
    assert not Explanation.objects.exists()


@pytest.mark.slow
def test_a_new_verdict_has_not_been_asked_about(analysis: Analysis) -> None:
    explanation = worked_out(analysis)
    track = analysis.track
    analyse_again(track=track)
    analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert track.current is not None
    assert track.current.requested_explanation is None
    assert Analysis.objects.get(pk=analysis.pk).requested_explanation == explanation


@pytest.mark.slow
def test_tidying_up_keeps_the_map_of_an_explanation_and_no_other(
    analysis: Analysis, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_out(analysis)
    before = stored()
    default_storage.save("pictures/00/left-over.png", io.BytesIO(b"PNG"))
    monkeypatch.setattr(tidying, "GRACE", timedelta(hours=-1))
    assert tidying.tidy() == 1
    assert stored() == before


@pytest.mark.slow
def test_it_goes_with_its_track(
    analysis: Analysis, stored: Stored, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    worked_out(analysis)
    with django_capture_on_commit_callbacks(execute=True):
        delete_tracks(Track.objects.filter(pk=analysis.track_id))
    assert not Explanation.objects.exists()
    assert stored() == []


@pytest.mark.slow
def test_a_track_deleted_in_the_middle_leaves_nothing_behind(
    analysis: Analysis,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    explanation = make_explanation(analysis)

    def deleted_meanwhile(file: BinaryIO, **options: Any) -> Measured:
        result = explain_file(file, **options)
        with django_capture_on_commit_callbacks(execute=True):
            delete_tracks(Track.objects.filter(pk=analysis.track_id))
        return result

    monkeypatch.setattr(explanations, "explain_file", deleted_meanwhile)
    assert explanations.explain(explanation_id=explanation.pk) is False
    assert not Explanation.objects.exists()
    assert stored() == []


@pytest.mark.slow
def test_a_worker_that_was_overtaken_throws_its_map_away(
    analysis: Analysis, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored()
    explanation = make_explanation(analysis)

    def overtaken(file: BinaryIO, **options: Any) -> Measured:
        Explanation.objects.update(attempt=9)
        return explain_file(file, **options)

    monkeypatch.setattr(explanations, "explain_file", overtaken)
    assert explanations.explain(explanation_id=explanation.pk) is False
    explanation.refresh_from_db()
    assert (explanation.status, explanation.attempt, explanation.picture.name) == ("running", 9, "")
    assert stored() == before


@pytest.mark.slow
def test_a_sound_that_is_gone_fails_with_its_reason_and_may_be_asked_again(analysis: Analysis) -> None:
    name = str(analysis.track.sound.name)
    content = default_storage.open(name).read()
    default_storage.delete(name)
    explanation = worked_out(analysis)
    assert (explanation.status, explanation.error_code) == ("failed", "file_missing")
    default_storage.save(name, io.BytesIO(content))
    again = explanations.request(analysis=analysis)
    assert (again.pk, again.status, again.error_code) == (explanation.pk, "queued", "")
    assert worked_out(analysis).status == "done"


def test_a_fault_that_may_pass_is_tried_three_times(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    explanation = make_explanation(analysis)

    def broken(*_: object, **__: object) -> Measured:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(explanations, "explain_file", broken)
    seen = []
    for _ in range(3):
        explanations.explain(explanation_id=explanation.pk)
        explanation.refresh_from_db()
        seen.append((explanation.status, explanation.error_code))
    assert seen == [("queued", ""), ("queued", ""), ("failed", "internal")]


@pytest.mark.slow
def test_the_version_that_gave_the_verdict_is_asked_even_when_another_is_in_service(
    analysis: Analysis, classifier_in_service: ModelVersion
) -> None:
    ModelVersion.objects.update(is_in_service=False)
    assert worked_out(analysis).status == "done"


def test_a_version_whose_files_are_gone_cannot_be_asked(owner: User, done_track: Make) -> None:
    current = done_track(owner).current
    assert current is not None
    explanation = worked_out(current)
    assert (explanation.status, explanation.error_code) == ("failed", "version_gone")


# --- what was dropped is picked up ------------------------------------------------------------------------
def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def test_one_whose_message_was_lost_is_sent_again(analysis: Analysis) -> None:
    make_explanation(analysis, queued_at=ago(3600))
    assert explanations.sweep() == 1
    assert queue.waiting() == 1
    assert explanations.sweep() == 0


@pytest.mark.slow
def test_one_that_was_asked_for_just_now_is_left_alone(analysis: Analysis) -> None:
    make_explanation(analysis)
    assert explanations.sweep() == 0
    assert queue.waiting() == 0


def test_one_whose_worker_died_is_picked_up_and_a_living_one_left_alone(analysis: Analysis) -> None:
    explanation = make_explanation(analysis, status="running", attempt=1, tries=1, heartbeat_at=ago(1))
    assert explanations.sweep() == 0
    Explanation.objects.update(heartbeat_at=ago(60))
    assert explanations.sweep() == 1
    explanation.refresh_from_db()
    assert explanation.status == "queued"


def test_after_three_dead_workers_it_fails_and_says_so(analysis: Analysis) -> None:
    explanation = make_explanation(analysis, status="running", attempt=3, tries=3, heartbeat_at=ago(60))
    assert explanations.sweep() == 0
    explanation.refresh_from_db()
    assert (explanation.status, explanation.error_code) == ("failed", "worker_lost")
