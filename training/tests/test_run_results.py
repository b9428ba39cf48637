"""What full runs make: candidates of every architecture that can answer."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from classifier import registry
from classifier.core import patches
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
from classifier.models import Genre, ModelVersion
from classifier.releases import read_metadata, read_replay
from classifier.synthesis.chiptune import chiptune
from classifier.version_files import folder
from genreweb.accounts.models import User
from library.models import Analysis, Track
from training.errors import TrainingError
from training.models import TrainingRun
from training.services.child import Child, thread_count
from training.services.promotion import promote, rollback
from training.tests.job_files import columns, finish, make_run, teach

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("training_dir")]

Genres = dict[str, Genre]
SECONDS = 6.0


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


def answer(track: Track) -> Analysis:
    """Give the verdict on a new upload."""
    return track.analyses.get()


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
    rows = list(run.epoch_rows.all())
    assert [row.number for row in rows] == list(range(1, epochs + 1))
    for row in rows:
        assert row.loss > 0
        assert row.accuracy is not None
        assert row.val_loss is not None
        assert row.val_accuracy is not None
        assert 0 <= row.val_accuracy <= 1
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
    assert finish(make_run()).status == "done"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert thread_count() == max(cores - 1, 1)
    assert {threads for _nice, threads in seen} == {str(thread_count())}
    assert all(nice >= 10 for nice, _threads in seen)
