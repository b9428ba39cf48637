"""The tagger's output that is kept with clips, and what predictions make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from django.core.files.base import ContentFile

from classifier import decoding, registry
from classifier.core import tag_storage, tagger
from classifier.core.audio import decode
from classifier.core.ensemble import entry_for
from classifier.core.tagger import Tagger
from classifier.core.verdict import DEFAULT_PARAMS
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.sounds import chords, wav
from training import personal_data
from training.models import Clip
from training.services import predictions, tagging
from training.services.checking import check_clip
from training.services.clip_tags import tags_of
from training.services.clips import submit_clip, withdraw
from training.services.features import read_features
from training.tests.clips import make_clip
from training.tests.versions import make_version, put_into_service

# The tagger is loaded here.
pytestmark = [pytest.mark.slow, pytest.mark.django_db]

Genres = dict[str, Genre]


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    """Messages go nowhere."""
    with mock.patch("celery.Celery.send_task"):
        yield


@pytest.fixture
def installed() -> Tagger:
    found = tagger.installed()
    if found is None:
        pytest.skip("the tagger is not installed")
    return found


@pytest.fixture
def joined(installed: Tagger) -> ModelVersion:
    """The version in service: the shipped network, joined with the tags alone."""
    entry = entry_for(DEFAULT_PARAMS, tagger=installed.version, head_sha256=None)
    return put_into_service(make_version("joined", ensemble=entry))


def checked(owner: User, genre: Genre, *, seed: int = 0, seconds: float = 6.0) -> Clip:
    file = ContentFile(wav(chords(seconds, seed=seed)), name="song.wav")
    clip = submit_clip(contributor=owner, genre=genre, file=file, name="song.wav", rights=True).clip
    assert check_clip(clip_id=clip.pk)
    clip.refresh_from_db()
    assert clip.status == "pending", clip.error_code
    return clip


def own_opinion(clip: Clip) -> dict[str, float]:
    """What the network of the version in service says of a clip."""
    prediction = predictions.predict(read_features(clip), registry.in_service().classifier)
    return prediction.probabilities


def test_a_checked_clip_keeps_its_tags_and_is_predicted_with_them(
    joined: ModelVersion, installed: Tagger, owner: User, genres: Genres
) -> None:
    clip = checked(owner, genres["blues"])

    tags = tags_of(clip)
    assert tags is not None
    assert clip.tagger_version == tags.version == installed.version
    assert len(tags.strengths) == tag_storage.N_STRENGTHS
    assert clip.opinion != pytest.approx(own_opinion(clip), abs=1e-3)
    # What is kept gives the same prediction later.
    again = predictions.predict(read_features(clip), registry.in_service().classifier, tags)
    assert clip.opinion == pytest.approx(again.probabilities, abs=0.02)
    assert clip.disputed == pytest.approx(1 - clip.opinion["blues"], abs=1e-4)


def test_a_version_that_is_not_joined_answers_alone_and_the_tags_are_kept(
    installed: Tagger, owner: User, genres: Genres
) -> None:
    put_into_service(make_version("alone", ensemble=None))

    clip = checked(owner, genres["blues"])

    assert tags_of(clip) is not None
    assert clip.opinion == pytest.approx(own_opinion(clip), abs=0.02)


def test_the_next_version_predicts_from_the_tags(
    joined: ModelVersion, installed: Tagger, owner: User, genres: Genres
) -> None:
    clip = checked(owner, genres["blues"])
    alone = put_into_service(make_version("alone", ensemble=None))
    assert predictions.refresh(Clip.objects.all()) == 1
    clip.refresh_from_db()
    assert clip.opinion_version == alone
    assert clip.opinion == pytest.approx(own_opinion(clip), abs=1e-4)
    put_into_service(joined)

    assert predictions.refresh(Clip.objects.all()) == 1

    clip.refresh_from_db()
    with_tags = predictions.predict(read_features(clip), registry.in_service().classifier, tags_of(clip))
    assert clip.opinion == pytest.approx(with_tags.probabilities, abs=1e-4)


def test_without_a_tagger_clips_are_checked_and_tagged_once_there_is_one(
    joined: ModelVersion,
    installed: Tagger,
    owner: User,
    genres: Genres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as absent:
        absent.setattr(tagger, "installed", lambda: None)
        clip = checked(owner, genres["blues"])
        assert (clip.tags, clip.tagger_version) == (None, "")
        assert tagging.fill_in() == 0
    before = clip.opinion

    assert tagging.fill_in() == 1
    assert tagging.fill_in() == 0

    clip.refresh_from_db()
    assert clip.tagger_version == installed.version
    tags = tags_of(clip)
    assert tags is not None
    expected = predictions.predict(read_features(clip), registry.in_service().classifier, tags)
    assert clip.opinion == pytest.approx(expected.probabilities, abs=1e-4)
    assert clip.opinion != before
    assert clip.disputed == pytest.approx(1 - clip.opinion["blues"], abs=1e-4)


def test_another_version_of_the_tagger_tags_anew(installed: Tagger, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], tags=b"\0" * 700, tagger_version="0ld")

    assert tagging.fill_in() == 1

    clip.refresh_from_db()
    assert clip.tagger_version == installed.version
    assert tags_of(clip) is not None
    # No version is in service: it is predicted later.
    assert clip.opinion == {}


def test_what_has_no_sound_or_is_not_accepted_is_left_alone(
    installed: Tagger, owner: User, genres: Genres
) -> None:
    make_clip(None, genres["blues"], sound=False, status=Clip.Status.APPROVED)
    make_clip(owner, genres["blues"], status=Clip.Status.REJECTED)
    make_clip(owner, genres["blues"], status=Clip.Status.CHECKING)

    assert tagging.fill_in() == 0
    assert not Clip.objects.exclude(tagger_version="").exists()


def test_a_sound_that_is_gone_or_damaged_is_tried_once(
    installed: Tagger, owner: User, genres: Genres
) -> None:
    gone, damaged, good = (make_clip(owner, genres["blues"], seed=seed) for seed in range(3))
    gone.sound.storage.delete(str(gone.sound.name))
    damaged.sound.save("clip.wav", ContentFile(b"nonsense"))

    assert tagging.fill_in() == 1

    rows = dict(Clip.objects.values_list("pk", "tags"))
    assert rows[gone.pk] is rows[damaged.pk] is None
    assert rows[good.pk] is not None
    with mock.patch.object(decoding.shared, "decode", side_effect=AssertionError("tried again")):
        assert tagging.fill_in() == 0


def test_one_sweep_is_bounded(
    installed: Tagger, owner: User, genres: Genres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "_BATCH", 2)
    for seed in range(3):
        make_clip(owner, genres["blues"], seed=seed)

    assert [tagging.fill_in() for _ in range(3)] == [2, 1, 0]


def test_a_clip_that_is_withdrawn_while_it_is_tagged_stays_away(
    installed: Tagger, owner: User, genres: Genres
) -> None:
    clip = make_clip(owner, genres["blues"])

    def meanwhile(*given: Any, **named: Any) -> Any:
        withdraw(clip=clip)
        return decode(*given, **named)

    with mock.patch.object(decoding.shared, "decode", meanwhile):
        assert tagging.fill_in() == 0
    assert not Clip.objects.exists()


@pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 100, np.full(900, np.nan, "<f2").tobytes()])
def test_damaged_tags_count_as_none(content: bytes, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], tags=content, tagger_version="v")
    clip.refresh_from_db()

    assert tags_of(clip) is None


def test_the_tags_are_among_a_persons_data(installed: Tagger, owner: User, genres: Genres) -> None:
    clip = checked(owner, genres["blues"])

    data = personal_data._clip(clip)

    tags = tags_of(clip)
    assert tags is not None
    assert data["tags"] == tags.strengths
    assert data["tag_features"] == tags.row.tolist()
    assert data["tagger_version"] == installed.version
    clip.tags = None
    assert personal_data._clip(clip)["tags"] is None


def test_the_pieces_of_a_recording_have_tags_of_their_own(
    joined: ModelVersion, installed: Tagger, owner: User, genres: Genres
) -> None:
    samples = np.concatenate([chords(30, seed=1), 0.2 * np.random.default_rng(0).normal(0, 1, 15 * 22_050)])
    file = ContentFile(wav(samples.astype(np.float32)), name="song.wav")
    clip = submit_clip(contributor=owner, genre=genres["blues"], file=file, name="song.wav", rights=True).clip

    assert check_clip(clip_id=clip.pk)

    first, second = (tags_of(piece) for piece in Clip.objects.order_by("start"))
    assert first is not None
    assert second is not None
    assert np.abs(first.row - second.row).max() > 0.5
