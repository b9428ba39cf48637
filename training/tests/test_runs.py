"""Asking for runs: parameters, one at a time, cancelling, the calendar, and what the sweeper picks up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from genreweb.jobs import ClaimLostError
from training.errors import TrainingError
from training.models import RunMessage, TrainingEpoch, TrainingRun
from training.services import claims, preflight, runs
from training.tests.job_files import teach

Genres = dict[str, Genre]


@pytest.fixture
def ready(classifier_in_service: ModelVersion, owner: User, genres: Genres) -> None:
    """Enough training data."""
    teach(genres, contributor=owner)


@pytest.fixture
def sent() -> Any:
    """Note what is sent to the training worker, and send nothing."""
    with patch.object(runs, "put", return_value=True) as put:
        yield put


def make_run(**fields: Any) -> TrainingRun:
    made = {"kind": "full", "architecture": "residual-cnn", "epochs": 3, **fields}
    return TrainingRun.objects.create(**made)


@pytest.mark.usefixtures("ready")
def test_a_run_is_queued_and_sent_once_its_row_is_there(
    curator: User, sent: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run, made = runs.request_run(by=curator, kind="full", epochs=7, seed=3)
        assert not sent.called
    assert made
    assert (run.status, run.architecture, run.epochs, run.seed) == ("queued", "residual-cnn", 7, 3)
    assert run.requested_by == curator
    assert run.eta_seconds is not None
    assert run.eta_seconds > 0
    (task, subject, queue), _ = sent.call_args
    assert (task, subject, queue) == ("training.tasks.train", str(run.pk), "training")


@pytest.mark.usefixtures("ready", "sent")
def test_a_second_request_gets_the_first_run(curator: User, staff: User) -> None:
    first, made = runs.request_run(by=curator, kind="full")
    second, made_again = runs.request_run(by=staff, kind="quick")
    assert (made, made_again) == (True, False)
    assert second == first
    assert TrainingRun.objects.count() == 1


@pytest.mark.usefixtures("ready", "sent")
def test_who_comes_second_in_the_same_moment_gets_the_first_run(curator: User) -> None:
    # The look before the row is made finds nothing: both were as fast.
    first, _made = runs.request_run(by=curator, kind="full")
    found = iter([None, first])
    with patch("training.models.runs.TrainingRunQuerySet.active", lambda _self: next(found, first)):
        # The first look is before, the second within the preflight, the third after the constraint spoke.
        second, made = runs.request_run(by=curator, kind="full")
    assert (second, made) == (first, False)
    assert TrainingRun.objects.count() == 1


@pytest.mark.django_db
def test_the_database_holds_one_active_run() -> None:
    make_run(status="running")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_run()
    make_run(status="failed")


@pytest.mark.usefixtures("ready", "sent")
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "slow"}, "run_kind"),
        ({"kind": "full", "architecture": "transformer"}, "run_architecture"),
        ({"kind": "quick", "architecture": "mfcc-knn"}, "run_quick_architecture"),
        ({"kind": "full", "epochs": 0}, "run_epochs"),
        ({"kind": "full", "epochs": 100_000}, "run_epochs"),
        ({"kind": "full", "seed": -1}, "run_seed"),
        ({"kind": "full", "seed": 2**40}, "run_seed"),
    ],
)
def test_parameters_out_of_bounds_are_refused(curator: User, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(TrainingError) as refused:
        runs.request_run(by=curator, **fields)
    assert refused.value.code == code
    assert refused.value.message
    assert not TrainingRun.objects.exists()


@pytest.mark.usefixtures("ready", "sent")
def test_what_has_no_epochs_is_given_none(curator: User) -> None:
    run, _made = runs.request_run(by=curator, kind="full", architecture="mfcc-knn", epochs=9)
    assert run.epochs == 0


@pytest.mark.usefixtures("sent")
def test_without_enough_to_learn_from_nothing_starts(
    classifier_in_service: ModelVersion, curator: User, genres: Genres
) -> None:
    for kind, code in (("quick", "run_nothing_new"), ("full", "run_few_genres")):
        with pytest.raises(TrainingError) as refused:
            runs.request_run(by=curator, kind=kind)
        assert refused.value.code == code
    teach(genres, names=("blues",), each=19, contributor=curator)
    assert preflight.collect().quick.ready
    assert not preflight.collect().full.ready


@pytest.mark.usefixtures("sent")
def test_a_version_that_remembers_nothing_cannot_be_taught_quickly(
    version: ModelVersion, curator: User, genres: Genres
) -> None:
    teach(genres, each=3, contributor=curator)
    with pytest.raises(TrainingError) as refused:
        runs.request_run(by=curator, kind="quick")
    assert refused.value.code == "run_no_base"


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_preflight_counts_by_genre(owner: User, genres: Genres) -> None:
    new = Genre.objects.create(slug="chiptune", name="Chiptune", colour="#123456")
    teach({"chiptune": new}, names=("chiptune",), each=5, contributor=owner)
    found = preflight.collect()
    rows = {row.genre.slug: row for row in found.genres}
    assert rows["blues"].usable == 24
    assert rows["blues"].known
    assert (rows["chiptune"].usable, rows["chiptune"].missing, rows["chiptune"].known) == (5, 15, False)
    assert rows["blues"].new == rows["blues"].train + rows["blues"].valid > 0
    assert "chiptune" not in found.quick.labels
    assert found.full.labels == ["blues", "rock"]
    notes = preflight.readable(found.full.notes, {row.genre.slug: row.genre for row in found.genres})
    assert ("genre_short", "Chiptune is not taught yet: it lacks 15 approved clips.") in notes
    # The version in service knows ten genres; one note is enough for the eight of which no clip is here.
    (forgotten,) = (sentence for code, sentence in notes if code == "genres_forgotten")
    assert forgotten.endswith("Classical, Country, Disco, Hip-hop, Jazz, Metal, Pop, Reggae.")
    teach({"chiptune": new}, names=("chiptune",), each=15, contributor=owner)
    assert preflight.collect().quick.labels[-1] == "chiptune"


@pytest.mark.usefixtures("ready")
def test_time_is_estimated_from_earlier_runs(genres: Genres) -> None:
    guessed = preflight.collect(epochs=10).full.seconds
    longer = preflight.collect(epochs=20).full.seconds
    assert longer > guessed
    now = timezone.now()
    version = ModelVersion.objects.get()
    from training.models import DatasetSnapshot

    snapshot = DatasetSnapshot.objects.create(digest="0" * 64, counts={"blues": {"train": 10}})
    run = make_run(
        status="done",
        attempt=1,
        started_at=now - timedelta(seconds=100),
        finished_at=now,
        snapshot=snapshot,
        candidate=version,
    )
    for number in (1, 2, 3):
        TrainingEpoch.objects.create(run=run, number=number, loss=1, seconds=20)
    learnt = preflight.collect(epochs=10).full.clips
    # 40 s beside the epochs; 2 s for a clip and an epoch.
    assert preflight.collect(epochs=10).full.seconds == pytest.approx(40 + 10 * learnt * 2)


# --- cancelling ------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_waiting_run_is_cancelled_at_once() -> None:
    run = make_run()
    assert runs.cancel_run(run=run)
    assert run.status == "cancelled"
    assert run.finished_at is not None
    assert list(run.messages.values_list("code", flat=True)) == ["cancelled"]
    assert claims.claim(run.pk) is None


@pytest.mark.django_db
def test_a_running_run_is_asked_to_end() -> None:
    run = make_run()
    claim = claims.claim(run.pk)
    assert claim is not None
    assert runs.cancel_run(run=run)
    assert (run.status, run.cancel_requested) == ("running", True)
    with pytest.raises(claims.CancelledError):
        claim.look()


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_run_that_is_over_stays_as_it_is(status: str) -> None:
    run = make_run(status=status)
    assert not runs.cancel_run(run=run)
    run.refresh_from_db()
    assert (run.status, run.cancel_requested) == (status, False)


# --- claims and the sweeper ------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_message_that_comes_twice_starts_one_run() -> None:
    run = make_run()
    first, second = claims.claim(run.pk), claims.claim(run.pk)
    assert first is not None
    assert second is None
    run.refresh_from_db()
    assert (run.attempt, run.tries, run.status) == (1, 1, "running")


@pytest.mark.django_db
def test_who_was_given_up_changes_nothing_any_more() -> None:
    run = make_run()
    old = claims.claim(run.pk)
    assert old is not None
    age(run)
    claims.sweep()
    new = claims.claim(run.pk)
    assert new is not None
    assert not old.update(progress=0.9)
    figures = {"loss": 1.0, "seconds": 1.0}
    with pytest.raises(ClaimLostError):
        old.epoch(1, progress=0.5, seconds_left=1, figures=figures)
    with pytest.raises(ClaimLostError):
        old.look()
    assert not TrainingEpoch.objects.exists()
    new.epoch(1, progress=0.5, seconds_left=1, figures=figures)
    assert TrainingEpoch.objects.count() == 1


@pytest.mark.django_db
def test_an_epoch_is_written_again_not_twice() -> None:
    run = make_run()
    claim = claims.claim(run.pk)
    assert claim is not None
    for loss in (2.0, 1.5):
        claim.epoch(1, progress=0.5, seconds_left=1, figures={"loss": loss, "seconds": 1.0})
    assert [row.loss for row in run.epoch_rows.all()] == [1.5]


def age(run: TrainingRun, seconds: float = 60) -> None:
    """Let the last sign of life lie back."""
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.django_db
def test_a_run_whose_worker_died_is_queued_and_sent_again(sent: Any) -> None:
    run = make_run()
    claims.claim(run.pk)
    claims.sweep()
    run.refresh_from_db()
    assert run.status == "running"
    age(run)
    with patch.object(runs, "messages_waiting", return_value=0):
        claims.sweep()
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("queued", 1)
    assert sent.call_count == 1
    assert RunMessage.objects.filter(run=run, code="lost").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("waiting", [1, None])
def test_no_second_message_while_one_waits_or_the_broker_is_away(sent: Any, waiting: int | None) -> None:
    make_run(queued_at=timezone.now() - timedelta(minutes=1))
    with patch.object(runs, "messages_waiting", return_value=waiting):
        claims.sweep()
    assert not sent.called


@pytest.mark.django_db
def test_a_run_that_never_gets_further_is_given_up(settings: Settings, sent: Any) -> None:
    run = make_run()
    for attempt in range(settings.TRAINING_ATTEMPTS):
        assert claims.claim(run.pk) is not None, attempt
        age(run)
        claims.sweep()
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "run_lost")
    assert run.finished_at is not None


@pytest.mark.django_db
def test_a_run_that_gets_further_each_time_is_not_given_up(settings: Settings, sent: Any) -> None:
    run = make_run(epochs=30)
    for number in range(1, 2 * settings.TRAINING_ATTEMPTS):
        claim = claims.claim(run.pk)
        assert claim is not None
        claim.epoch(number, progress=0.1, seconds_left=1, figures={"loss": 1.0, "seconds": 1.0})
        age(run)
        claims.sweep()
    run.refresh_from_db()
    assert run.status == "queued"


@pytest.mark.django_db
def test_a_lost_run_that_was_to_end_is_not_started_again(sent: Any) -> None:
    run = make_run()
    claims.claim(run.pk)
    runs.cancel_run(run=run)
    age(run)
    claims.sweep()
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert not sent.called


# --- the calendar ----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("sent")
def test_the_calendar_starts_a_run_when_enough_is_new(
    classifier_in_service: ModelVersion, owner: User, genres: Genres, settings: Settings
) -> None:
    settings.TRAINING_SCHEDULE_CLIPS = 20
    teach(genres, names=("blues",), each=5, contributor=owner)
    assert runs.start_scheduled_run() is None
    assert not TrainingRun.objects.exists()
    teach(genres, names=("rock",), each=40, contributor=owner)
    run = runs.start_scheduled_run()
    assert run is not None
    assert (run.kind, run.requested_by) == ("quick", None)
    # One is active: the next date finds it, and starts none.
    assert runs.start_scheduled_run() is None
    assert TrainingRun.objects.count() == 1


@pytest.mark.django_db
def test_without_a_classifier_the_calendar_says_nothing(make_nothing: Callable[[], None]) -> None:
    make_nothing()
    assert runs.start_scheduled_run() is None


@pytest.fixture
def make_nothing(genres: Genres) -> Callable[[], None]:
    def make() -> None:
        ModelVersion.objects.all().delete()

    return make
