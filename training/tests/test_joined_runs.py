"""Quick runs on a version that is joined with the tagger: what they teach its network and its head."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest

from classifier.core import tagger
from classifier.core.inference import Classifier, read_metadata
from classifier.core.tagger import Tagger
from classifier.core.verdict import HEAD_FILE, HEAD_REPLAY_FILE
from classifier.fitting.head_replay import read_head_replay
from classifier.models import Genre, ModelVersion
from classifier.tests import processes
from classifier.version_files import folder
from genreweb.accounts.models import User
from training.models import Clip, DatasetSnapshot, TrainingRun
from training.services import clip_tags, job_files, run_storage
from training.services.claims import RunClaim
from training.services.features import pack
from training.tests.job_files import clip_of, finish, make_run, teach
from training.tests.test_run_results import head_of, log_mel, tags_for
from training.tests.versions import put_into_service

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("training_dir")]

TAUGHT, OTHERS = 30, 10


@pytest.fixture(scope="module")
def installed() -> Tagger:
    found = tagger.installed()
    if found is None:
        pytest.skip("the tagger is not installed")
    return found


@pytest.fixture
def joined(classifier_in_service: ModelVersion, installed: Tagger) -> ModelVersion:
    """The shipped version."""
    assert classifier_in_service.metadata["ensemble"]["tagger"] == installed.version
    assert HEAD_REPLAY_FILE in classifier_in_service.files
    return classifier_in_service


def chiptunes(genre: Genre, owner: User, installed: Tagger, seeds: Sequence[int]) -> list[Clip]:
    """Approved clips."""
    clips = []
    for seed in seeds:
        clip = clip_of(pack(log_mel(seed)), genre, seed=seed, contributor=owner)
        clip_tags.assign(clip, tags_for(installed, seed))
        clips.append(clip)
    return Clip.objects.bulk_create(clips)


def quick(base: ModelVersion) -> TrainingRun:
    put_into_service(base)
    run = finish(make_run(kind="quick", architecture="residual-cnn"))
    assert (run.status, run.error_code, run.error_params) == ("done", "", {})
    assert (run.progress, run.eta_seconds, run.step) == (1.0, None, "")
    assert run.candidate is not None
    return run


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float, float | None]]:
    """Step, progress and seconds left of a run each time that its row is changed."""
    found: list[tuple[str, float, float | None]] = []
    write = RunClaim.progress

    def progress(claimed: RunClaim, **fields: object) -> None:
        write(claimed, **fields)
        run = TrainingRun.objects.get(pk=claimed.run.pk)
        found.append((run.step, run.progress, run.eta_seconds))

    monkeypatch.setattr(RunClaim, "progress", progress)
    return found


def accuracy_on_test_set(version: ModelVersion) -> float:
    predictions = version.metadata["test_predictions"]
    assert len(predictions) == 290
    right = [label == name.partition(".")[0] for name, (label, _sure) in predictions.items()]
    return right.count(True) / len(right)


def chiptunes_found(classifier: Classifier, installed: Tagger) -> tuple[int, int]:
    """How many others of the genre that was taught are found, and how many by the network alone."""
    found, found_alone = 0, 0
    for seed in range(TAUGHT, TAUGHT + OTHERS):
        alone = classifier.predict_stored(log_mel(seed))
        assert alone is not None
        found_alone += max(alone.probabilities, key=alone.probabilities.__getitem__) == "chiptune"
        prediction = classifier.predict_stored(log_mel(seed), tags=tags_for(installed, seed))
        assert prediction is not None
        assert prediction.tags is not None
        found += prediction.label == "chiptune"
    return found, found_alone


def test_a_quick_run_teaches_network_and_head(
    joined: ModelVersion, installed: Tagger, owner: User, shown: list[tuple[str, float, float | None]]
) -> None:
    genre = Genre.objects.create(slug="chiptune", name="Chiptune", colour="#123456")
    chiptunes(genre, owner, installed, range(TAUGHT))
    loaded = set(sys.modules)

    run = quick(joined)

    steps = ["claimed", "snapshot", "features", "fit_quick", "judged", "saved"]
    assert [line.code for line in run.messages.all()] == steps
    done = [progress for _step, progress, _left in shown]
    assert done == sorted(done)
    fitted = [(progress, left) for step, progress, left in shown if step == "fit" and progress > 0.08]
    assert len(fitted) >= 8
    assert fitted[-1][0] == pytest.approx(0.9)
    assert all(left is not None and left > 0 for _progress, left in fitted)
    first, snapshot = run.candidate, run.snapshot
    assert first is not None
    assert snapshot is not None
    assert (first.source, first.is_in_service) == (ModelVersion.Source.TRAINED, False)
    assert first.labels == [*joined.labels, "chiptune"]
    assert first.metadata["trained_on"]["snapshot"] == snapshot.digest
    learnt = snapshot.entries.filter(split__in=("train", "valid")).count()
    assert first.metadata["trained_on"]["clips"] == {"chiptune": learnt}
    assert {HEAD_FILE, HEAD_REPLAY_FILE} <= set(first.files)
    with folder(first) as path:
        assert first.metadata == read_metadata(path)
        classifier = Classifier.load(path)
        replay = read_head_replay(path, first.metadata["ensemble"])
    assert replay is not None
    assert set(replay.labels) == set(joined.labels)
    # Others are found, by the network alone too, and the ten old genres nearly as well as before.
    found, found_alone = chiptunes_found(classifier, installed)
    assert found >= 0.9 * OTHERS
    assert found_alone >= 0.7 * OTHERS
    assert accuracy_on_test_set(first) >= accuracy_on_test_set(joined) - 0.03
    # Both versions have predictions for the held-out clips, which were predicted as their sound would be.
    said = run.judgement["holdout"]["clips"]
    assert run.judgement["holdout"]["champion"] == joined.pk
    held_out = snapshot.entries.filter(split="holdout").values_list("clip_key", flat=True)
    assert said.keys() == {str(key) for key in held_out}
    assert said
    for clip in Clip.objects.filter(pk__in=list(said)):
        expected = classifier.predict_stored(
            log_mel(int(clip.title.split()[1])), tags=clip_tags.tags_of(clip)
        )
        assert expected is not None
        label, sure = max(expected.probabilities.items(), key=lambda item: item[1])
        assert said[str(clip.pk)].keys() == {"genre", "candidate", "champion"}
        assert said[str(clip.pk)]["candidate"] == [label, pytest.approx(sure, abs=0.02)]
    # Its memory is given back and its disk is empty.
    assert not {"tensorflow", "keras"} & (set(sys.modules) - loaded)
    assert not processes.children("classifier.fitting.jobs.process")
    assert not run_storage.run_folder(run.pk).exists()
    assert "chiptune" in head_of(first).labels


def test_a_job_takes_the_tags_of_the_right_tagger_only(
    joined: ModelVersion, genres: dict[str, Genre], installed: Tagger, owner: User
) -> None:
    clips = teach(genres, names=("blues",), each=4, contributor=owner)
    good, other, damaged, none = sorted(clips, key=lambda clip: clip.pk)
    for clip in (good, other, damaged):
        clip_tags.assign(clip, tags_for(installed, 1))
    other.tagger_version = "another"
    damaged.tags = b"damaged"
    Clip.objects.bulk_update(clips, clip_tags.FIELDS)
    snapshot = DatasetSnapshot.objects.create(digest="0" * 64, counts={})
    for clip in clips:
        snapshot.entries.create(
            clip=clip, clip_key=clip.pk, features_sha256=clip.features_sha256, genre="blues", split="train"
        )
    store = _Keys([clip.features_sha256 for clip in clips])

    given, _withdrawn = job_files._clips(snapshot, store, ["blues"], base=joined, with_embeddings=False)  # type: ignore[arg-type]

    assert dict(zip(given.keys.tolist(), given.taggers.tolist(), strict=True)) == {
        str(good.pk): installed.version,
        str(other.pk): "",
        str(damaged.pk): "",
        str(none.pk): "",
    }
    tags = given.tags_of(given.keys.tolist().index(str(good.pk)))
    assert tags is not None
    assert np.abs(tags.row - tags_for(installed, 1).row).max() < 0.1
    ModelVersion.objects.filter(pk=joined.pk).update(metadata={"name": "x"})
    joined.refresh_from_db()
    alone, _ = job_files._clips(snapshot, store, ["blues"], base=joined, with_embeddings=False)  # type: ignore[arg-type]
    assert set(alone.taggers.tolist()) == {""}


class _Keys:
    """A feature store, as far as its keys go."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
