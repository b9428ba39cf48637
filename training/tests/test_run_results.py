"""What runs make: a genre that is found, and candidates of every architecture that can answer."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from classifier import registry
from classifier.core import patches, tagger
from classifier.core.dataset import Examples
from classifier.core.features import extract
from classifier.core.inference import Classifier
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import PatchParams
from classifier.core.prediction import TrackTags
from classifier.core.tagger import Tagger
from classifier.core.verdict import TaggerHead, pool_tags
from classifier.core.verification import verify
from classifier.fitting.evaluation.outputs import Clips
from classifier.fitting.evaluation.version import evaluate_version
from classifier.fitting.jobs.ensemble import LEAST_EXAMPLES
from classifier.models import Genre, ModelVersion
from classifier.releases import read_metadata, read_replay
from classifier.synthesis.chiptune import chiptune
from classifier.tests import processes
from classifier.version_files import folder
from genreweb.accounts.models import User
from library.models import Analysis, Track
from training.errors import TrainingError
from training.models import Clip, TrainingRun
from training.services import clip_tags, run_storage
from training.services.child import Child, thread_count
from training.services.features import pack
from training.services.promotion import promote, rollback
from training.tests.job_files import clip_of, columns, finish, make_run, teach

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("training_dir")]

Genres = dict[str, Genre]
TAUGHT, OTHERS, SECONDS = 30, 10, 6.0


@functools.cache
def log_mel(seed: int) -> Any:
    return patches.columns_db(extract(chiptune(seed, SECONDS)).mel_power, PatchParams())


@functools.cache
def tags_for(installed: Tagger, seed: int) -> TrackTags:
    return pool_tags(installed.tag(chiptune(seed, SECONDS)), version=installed.version)


def head_of(version: ModelVersion) -> TaggerHead:
    with folder(version) as path:
        loaded = Classifier.load(path)
    assert loaded.ensemble is not None
    assert loaded.ensemble.head is not None
    return loaded.ensemble.head


def accuracy_on_test_set(version: ModelVersion) -> float:
    predictions = version.metadata["test_predictions"]
    assert len(predictions) == 290
    right = [label == name.partition(".")[0] for name, (label, _sure) in predictions.items()]
    return right.count(True) / len(right)


def answer(track: Track) -> Analysis:
    """Give the verdict on a new upload."""
    return track.analyses.get()


def test_a_quick_run_teaches_an_eleventh_genre(classifier_in_service: ModelVersion, owner: User) -> None:
    genre = Genre.objects.create(slug="chiptune", name="Chiptune", colour="#123456")
    clips = [clip_of(pack(log_mel(seed)), genre, seed=seed, contributor=owner) for seed in range(TAUGHT)]
    if installed := tagger.installed():
        for seed, clip in enumerate(clips[: LEAST_EXAMPLES - 1]):
            clip_tags.assign(clip, tags_for(installed, seed))
    Clip.objects.bulk_create(clips)
    loaded = set(sys.modules)
    run = finish(make_run(kind="quick", architecture="residual-cnn"))
    assert (run.status, run.error_code, run.error_params) == ("done", "", {})
    assert (run.progress, run.eta_seconds, run.step) == (1.0, None, "")
    assert [line.code for line in run.messages.all()] == [
        "claimed",
        "snapshot",
        "features",
        "fit_quick",
        "judged",
        "saved",
    ]
    version, snapshot = run.candidate, run.snapshot
    assert version is not None
    assert snapshot is not None
    assert (version.source, version.is_in_service) == (ModelVersion.Source.TRAINED, False)
    assert version.labels == [*classifier_in_service.labels, "chiptune"]
    assert version.metadata["trained_on"]["snapshot"] == snapshot.digest
    learnt = snapshot.entries.filter(split__in=("train", "valid")).count()
    assert version.metadata["trained_on"]["clips"] == {"chiptune": learnt}
    # Too few clips have tags for the tagger's head, so the network is taught alone.
    assert set(head_of(version).labels) == set(classifier_in_service.labels)
    # Others are found, and the ten old genres nearly as well as before.
    with folder(version) as path:
        classifier = Classifier.load(path)
    found = 0
    for seed in range(TAUGHT, TAUGHT + OTHERS):
        prediction = classifier.predict_stored(log_mel(seed))
        assert prediction is not None
        found += max(prediction.probabilities, key=prediction.probabilities.__getitem__) == "chiptune"
    assert found >= 0.7 * OTHERS
    assert accuracy_on_test_set(version) >= accuracy_on_test_set(classifier_in_service) - 0.03
    # Both versions have predictions for the held-out clips.
    held_out = run.judgement["holdout"]
    assert held_out["champion"] == classifier_in_service.pk
    assert set(held_out["clips"]) == {
        str(key) for key in snapshot.entries.filter(split="holdout").values_list("clip_key", flat=True)
    }
    for clip in held_out["clips"].values():
        assert set(clip) == {"genre", "candidate", "champion"}
        assert 0 <= clip["candidate"][1] <= 1
    # Its memory is given back and its disk is empty.
    assert not {"tensorflow", "keras"} & (set(sys.modules) - loaded)
    assert not processes.children("classifier.fitting.jobs.process")
    assert not run_storage.run_folder(run.pk).exists()


@pytest.mark.parametrize(
    ("architecture", "epochs"),
    [("efficientnet-b0", 1), ("mfcc-knn", 0), ("feature-mlp", 20)],
)
def test_other_architectures_go_from_a_run_to_an_answer(
    architecture: str,
    epochs: int,
    *,
    genres: Genres,
    owner: User,
    curator: User,
    finished_track: Callable[..., Track],
) -> None:
    teach(genres, contributor=owner)
    run = finish(make_run(architecture=architecture, epochs=epochs))
    assert (run.status, run.error_code, run.error_params) == ("done", "", {})
    assert run.epoch_rows.count() == epochs
    version = run.candidate
    assert version is not None
    assert version.labels == ["blues", "rock"]
    assert version.metadata["architecture"] == architecture
    if epochs != 1:
        # The bands of the two genres do not overlap, so a trained network distinguishes them.
        clips = run.judgement["holdout"]["clips"].values()
        assert clips
        assert all(clip["candidate"] is None or clip["candidate"][0] == clip["genre"] for clip in clips)
    assert_it_can_serve(version, owner=owner, curator=curator, finished_track=finished_track)


def assert_it_is_all_that_ships(run: TrainingRun, version: ModelVersion) -> None:
    """Look at the version of a full run of the network that ships on clips of `teach`."""
    with folder(version) as path:
        verify(path)
        test = Examples([columns(place % 2, 90 + place) for place in range(6)], np.arange(6) % 2)
        found = evaluate_version(path, test=Clips([str(place) for place in range(6)], test))
        replay, metadata = read_replay(path), read_metadata(path)
        assert (path / WEIGHTS_FILE).stat().st_size < 10_000_000
    assert found["robustness"]["clips"] == 6
    assert run.snapshot is not None
    assert len(replay.names) == run.snapshot.entries.filter(split="train").count()
    # A member and the network on descriptors, their embeddings side by side.
    assert metadata["network"]["members"] == 1
    assert metadata["descriptor_mlp"]["n_embedding"] == 128
    assert replay.embeddings.shape[1] == 2 * metadata["network"]["n_embedding"] + 128


def assert_it_can_serve(
    version: ModelVersion, *, owner: User, curator: User, finished_track: Callable[..., Track]
) -> None:
    champion = registry.in_service().version
    assert answer(finished_track(owner, seed=1)).model_version == champion
    # Eight genres would be lost.
    with pytest.raises(TrainingError) as refused:
        promote(version=version, by=curator, reason="For a site of blues and rock.")
    assert refused.value.code == "gate_refused"
    assert registry.in_service().version == champion
    promotion = promote(version=version, by=curator, reason="For a site of blues and rock.", override=True)
    assert promotion.overridden
    assert promotion.gate["refusals"]
    prediction = answer(finished_track(owner, seed=2))
    assert prediction.model_version == version
    assert set(prediction.probabilities) == {"blues", "rock"}
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)
    rollback(by=curator, reason="All ten again.")
    assert answer(finished_track(owner, seed=3)).model_version == champion


def test_the_process_leaves_a_core_to_others(
    genres: Genres, owner: User, classifier_in_service: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(genres, contributor=owner)
    seen: list[tuple[int, str]] = []
    real = Child.listen

    def look_at(child: Child, *, look: Callable[[], None]) -> Any:
        for message in real(child, look=look):
            # It may have ended after its last message.
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(child._process.pid)
                seen.append((process.nice(), process.environ()["OMP_NUM_THREADS"]))
            yield message

    monkeypatch.setattr(Child, "listen", look_at)
    assert finish(make_run(architecture="feature-mlp", epochs=2)).status == "done"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert thread_count() == max(cores - 1, 1)
    assert {threads for _nice, threads in seen} == {str(thread_count())}
    assert all(nice >= 10 for nice, _threads in seen)
