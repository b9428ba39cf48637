"""Checks of labels against out-of-fold predictions."""

from __future__ import annotations

import uuid
from datetime import timedelta
from unittest import mock

import numpy as np
import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier import registry
from classifier.core import dataset as logmels
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release, read_evaluation_features
from classifier.tests.sounds import shared_data
from genreweb.accounts.models import User
from training.models import Clip, LabelCheck
from training.services import health, predictions, review
from training.services.features import quantise
from training.services.review import Seen
from training.tests.clips import make_clip

Genres = dict[str, Genre]
GTZAN = shared_data()
SIZE = 8


def rows(
    genres: Genres,
    version: ModelVersion,
    owner: User,
    labels: list[str],
    embeddings: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> list[Clip]:
    """Make approved clips with embeddings, without files that nobody opens."""
    return Clip.objects.bulk_create(
        Clip(
            contributor=owner,
            genre=genres[label],
            contributed_genre=genres[label],
            status=Clip.Status.APPROVED,
            sha256=uuid.uuid4().hex * 2,
            features="clips/none.npz",
            opinion_version=version,
            embedding=embedding,
        )
        for label, embedding in zip(labels, embeddings, strict=True)
    )


def clouds(names: list[str], each: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Give `each` points around a place of its own for each name."""
    rng = np.random.default_rng(seed)
    places = np.eye(SIZE, dtype=np.float32)[: len(names)] * 3
    return (np.repeat(places, each, axis=0) + rng.normal(0, 0.4, (len(names) * each, SIZE))).astype(
        np.float32
    )


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive one ranks before a negative one (Mann and Whitney)."""
    above = (scores[positive][:, None] > scores[~positive][None, :]).mean()
    ties = (scores[positive][:, None] == scores[~positive][None, :]).mean()
    return float(above + ties / 2)


def check() -> LabelCheck:
    asked = health.request_check()
    assert health.check_labels(check_id=asked.pk)
    asked.refresh_from_db()
    return asked


@pytest.mark.slow
def test_wrong_labels_come_first(genres: Genres, version: ModelVersion, owner: User, curator: User) -> None:
    names = ["blues", "rock", "jazz"]
    labels = list(np.repeat(names, 12))
    labels[3] = "jazz"
    clips = rows(genres, version, owner, labels, clouds(names, 12))
    done = check()
    assert (done.status, done.clips, done.version, done.left_out) == ("done", 36, version, [])
    worst = Clip.objects.suspicious().first()
    assert worst == clips[3]
    assert worst is not None
    assert (worst.suspected_genre, worst.doubted_genre) == ("blues", "jazz")
    assert worst.suspicion is not None
    assert worst.suspicion > 0.9
    fine = Clip.objects.get(pk=clips[20].pk)
    assert fine.suspicion is not None
    assert fine.suspicion < 0.5
    # Kept, it does not come again, until somebody gives it another label that is doubted too.
    review.approve(clip_id=worst.pk, by=curator, seen=Seen("approved", "jazz"))
    check()
    assert worst not in Clip.objects.suspicious()
    review.relabel(clip_id=worst.pk, by=curator, genre=genres["rock"], seen=Seen("approved", "jazz"))
    assert worst not in Clip.objects.suspicious()
    check()
    assert worst in Clip.objects.suspicious()


@pytest.mark.slow
def test_what_cannot_be_checked_is_left_out(genres: Genres, version: ModelVersion, owner: User) -> None:
    names = ["blues", "rock", "jazz", "pop"]
    points = clouds(names, 8)
    rows(genres, version, owner, ["blues"] * 8 + ["rock"] * 8 + ["jazz"] * 5, points[:21])
    one_artist = rows(genres, version, owner, ["pop"] * 8, points[24:])
    Clip.objects.filter(pk__in=[clip.pk for clip in one_artist]).update(artist="Abba", suspicion=0.9)
    done = check()
    assert (done.clips, done.left_out) == (16, ["jazz", "pop"])
    assert not Clip.objects.filter(genre__slug__in=["jazz", "pop"]).exclude(suspicion=None).exists()


def test_embeddings_of_another_network_are_not_mixed_in(
    genres: Genres, version: ModelVersion, owner: User
) -> None:
    other = ModelVersion.objects.create(
        name="other", source="trained", location="x", sha256="1" * 64, labels=[], feature_version="1"
    )
    kin = ModelVersion.objects.create(
        name="kin",
        source="trained",
        location="y",
        sha256="2" * 64,
        labels=[],
        feature_version="1",
        metadata={"backbone_sha256": version.sha256},
    )
    points = clouds(["blues", "rock"], 8)
    rows(genres, version, owner, ["blues"] * 8, points[:8])
    rows(genres, kin, owner, ["rock"] * 8, points[8:])
    strange = rows(genres, other, owner, ["rock"] * 2, points[8:10])
    with mock.patch.object(predictions, "refresh") as refresh:
        done = check()
    assert {clip.pk for clip in refresh.call_args.args[0]} == {clip.pk for clip in strange}
    assert (done.status, done.clips) == ("done", 16)


def test_nothing_to_compare(genres: Genres, version: ModelVersion, owner: User) -> None:
    rows(genres, version, owner, ["blues"] * 8, clouds(["blues"], 8))
    done = check()
    assert (done.status, done.clips) == ("done", 0)


def test_what_goes_wrong_is_kept(db: None, version: ModelVersion) -> None:
    with mock.patch.object(health, "_examine", side_effect=RuntimeError("boom")):
        failed = check()
    assert (failed.status, failed.error_code) == ("failed", "internal")
    assert failed.finished_at is not None
    ModelVersion.objects.update(is_in_service=False)
    assert check().error_code == "no_classifier"


def test_one_check_at_a_time(
    curator: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with (
        mock.patch.object(health, "put") as put,
        django_capture_on_commit_callbacks(execute=True),
    ):
        first = health.request_check(by=curator)
        assert health.request_check() == first
    assert put.call_count == 1
    # A message that got lost is sent again, a worker that got lost is given up.
    LabelCheck.objects.update(pulse_at=timezone.now() - timedelta(minutes=2))
    with mock.patch.object(health, "put") as put, django_capture_on_commit_callbacks(execute=True):
        assert health.request_check() == first
    assert put.call_count == 1
    LabelCheck.objects.update(status="running", pulse_at=timezone.now() - timedelta(minutes=11))
    assert not health.check_labels(check_id=first.pk)
    second = health.request_check()
    first.refresh_from_db()
    assert (first.status, first.error_code, second.status) == ("failed", "worker_lost", "queued")


def test_clips_without_an_embedding_are_predicted_first(
    genres: Genres, classifier_in_service: ModelVersion, owner: User
) -> None:
    clip = make_clip(owner, genres["blues"], status="approved")
    assert check().status == "done"
    clip.refresh_from_db()
    assert clip.opinion_version == classifier_in_service
    assert clip.embedding is not None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_flipped_labels_of_held_out_music_rank_first(
    genres: Genres, version: ModelVersion, owner: User, seed: int
) -> None:
    """Of 200 clips that the shipped network was not trained on, 20 % have a wrong label."""
    heard = read_evaluation_features(current_release())
    labels = [genre.slug for genre in SHIPPED_GENRES]
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(heard.names))[:200]
    flipped = np.zeros(200, bool)
    flipped[rng.choice(200, 40, replace=False)] = True
    given = [
        str(rng.choice([label for label in labels if label != labels[heard.targets[place]]]))
        if wrong
        else labels[heard.targets[place]]
        for place, wrong in zip(chosen, flipped, strict=True)
    ]
    clips = rows(genres, version, owner, given, heard.embeddings[chosen])
    assert check().clips == 200
    # As the page ranks them: what it does not list comes last.
    listed = dict(Clip.objects.suspicious().values_list("pk", "suspicion"))
    scores = np.array([listed.get(clip.pk) or 0.0 for clip in clips])
    assert auc(scores, flipped) >= 0.8
    first = list(Clip.objects.suspicious().values_list("pk", flat=True)[:20])
    wrong = {clip.pk for clip, is_wrong in zip(clips, flipped, strict=True) if is_wrong}
    assert len(wrong & set(first)) >= 10


@pytest.mark.slow
@pytest.mark.skipif(GTZAN is None, reason="needs the shared music (GENREWEB_SHARED)")
def test_flipped_labels_of_real_music_rank_first(
    genres: Genres, classifier_in_service: ModelVersion, owner: User
) -> None:
    """Of 200 clips that the network was not trained on, 20 % have a wrong label."""
    assert GTZAN is not None
    whole = logmels.load(GTZAN)
    unlearnt = [place for place, clip in enumerate(whole.clips) if clip.part in ("valid", "")]
    rng = np.random.default_rng(4)
    chosen = rng.permutation(unlearnt)[:200]
    network = registry.in_service().classifier
    embeddings = np.stack(
        [predictions.predict(quantise(whole.db(place)), network).embedding for place in chosen]
    )
    labels = [whole.clips[place].genre for place in chosen]
    flipped = np.zeros(len(labels), bool)
    flipped[rng.choice(len(labels), len(labels) // 5, replace=False)] = True
    given = [
        str(rng.choice([name for name in whole.labels if name != label])) if wrong else label
        for label, wrong in zip(labels, flipped, strict=True)
    ]
    clips = rows(genres, classifier_in_service, owner, given, embeddings)
    for clip, place in zip(clips, chosen, strict=True):
        clip.artist = whole.clips[place].artist
    Clip.objects.bulk_update(clips, ["artist"])
    assert check().clips > 150
    suspicion = dict(Clip.objects.exclude(suspicion=None).values_list("pk", "suspicion"))
    suspected = [place for place, clip in enumerate(clips) if clip.pk in suspicion]
    scores = np.array([suspicion[clips[place].pk] for place in suspected])
    area = auc(scores, flipped[suspected])
    print(f"ROC AUC {area:.3f} of {len(suspected)} clips")
    assert area >= 0.8
