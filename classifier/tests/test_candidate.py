"""Which clips a run gives to its fit: those that a quick run replays, and those that have tags alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from classifier import testset
from classifier.core.tag_storage import EMBEDDING_SIZE, N_STRENGTHS
from classifier.fitting.architectures import FITTERS
from classifier.fitting.data import tag_targets
from classifier.fitting.data.feature_store import FeatureStore, FeatureStoreWriter
from classifier.fitting.jobs import candidate
from classifier.fitting.jobs.candidate import RunControl, _replayed, fit_candidate
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.jobs.description import JobDescription, JobFolder
from classifier.fitting.loop.task import FitTask, StoppedError
from classifier.releases import Replay

N_CLIPS = 48
"""Of each four in turn: two with a label to be trained on, one for validation, one of another label."""


def test_shipped_clips_are_always_replayed_and_clips_of_a_site_while_they_are_there() -> None:
    shipped = testset.fitted().names[0]
    kept, relabelled, withdrawn, of_the_head = (str(uuid4()) for _ in range(4))
    elsewhere = "a clip of another site.wav"
    names = [shipped, kept, relabelled, withdrawn, of_the_head, elsewhere]
    clip = np.repeat(np.arange(len(names)), 2)
    variant = np.tile([0, 1], len(names))
    # A clip that only a head was fitted on has no variants.
    variant[clip == names.index(of_the_head)] = 0
    targets = np.zeros(len(clip), np.intp)
    replay = Replay(np.zeros((len(clip), 2), np.float32), targets, clip.astype(np.intp), variant, names)
    there = {kept: 0, relabelled: 1, of_the_head: 0}
    assert _replayed(replay, there) == [shipped, kept]
    assert _replayed(replay, {}) == [shipped]


def run_clips(*, tagger: str) -> RunClips:
    rng = np.random.default_rng(0)
    keys = np.array([f"clip{place}" for place in range(N_CLIPS)])
    stored = rng.uniform(0.1, 0.9, (N_CLIPS, N_STRENGTHS + EMBEDDING_SIZE)).astype(np.float16)
    return RunClips(
        rows=np.arange(N_CLIPS),
        targets=np.tile([0, 1, 0, -1], N_CLIPS // 4),
        genres=np.tile(["blues", "rock", "blues", "polka"], N_CLIPS // 4),
        sides=np.tile(["train", "train", "valid", "train"], N_CLIPS // 4),
        keys=keys,
        names=keys,
        groups=keys,
        seen=np.zeros(N_CLIPS, np.bool_),
        embeddings=np.zeros((N_CLIPS, 0), np.float32),
        tags=stored if tagger else np.full_like(stored, np.nan),
        taggers=np.full(N_CLIPS, tagger),
    )


def task_of(clips: RunClips, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FitTask:
    """What the full run of a job gives to its fit, which is not begun."""
    writer = FeatureStoreWriter(folder / "features", n_mels=128, n_summary=57)
    for place, key in enumerate(clips.keys.tolist()):
        writer.add(key, np.full((128, 70), place, np.uint8), -80.0, None)
    writer.close()
    given: list[FitTask] = []

    def stop(task: FitTask) -> None:
        given.append(task)
        raise StoppedError

    fitter = replace(FITTERS["residual-cnn"], function=stop)
    monkeypatch.setattr(candidate, "FITTERS", {"residual-cnn": fitter})
    job = JobDescription(
        kind="full",
        architecture="residual-cnn",
        epochs=1,
        seed=0,
        name="a run",
        labels=("blues", "rock"),
        snapshot="ab" * 32,
        base=None,
        base_pk=None,
        features=folder / "features",
        threads=1,
    )
    job_folder = JobFolder(folder / "job")
    job_folder.write(job, clips)
    control = RunControl(
        on_step=lambda step: None,
        on_epoch=lambda epoch: None,
        on_share=lambda share: None,
        should_stop=lambda: False,
    )
    with pytest.raises(StoppedError):
        fit_candidate(job, clips, FeatureStore.open(folder / "features"), folder=job_folder, control=control)
    return given[0]


def test_a_full_run_learns_tags_of_clips_with_other_labels_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = run_clips(tagger="one")
    task = task_of(clips, tmp_path, monkeypatch)
    train, others = clips.on("train"), np.arange(3, N_CLIPS, 4)
    assert task.train.targets.tolist() == [0, 1] * 12
    assert task.fitted_on.targets.tolist() == [0, 1] * 12 + [-1] * 12
    levels = [float(db[0, 0]) for db in task.fitted_on.db]
    expected = [-80 * (1 - (place + 0.5) / 256) for place in (*train, *others)]
    np.testing.assert_allclose(levels, expected, rtol=1e-5)
    places = np.concatenate([train, others])
    found = tag_targets.from_stored(clips.tags[places], clips.taggers[places])
    assert found is not None
    np.testing.assert_array_equal(task.fitted_on.tags, found)


def test_without_tags_a_full_run_learns_from_labels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(run_clips(tagger=""), tmp_path, monkeypatch)
    assert task.fitted_on is task.train
    assert task.train.tags is None
    assert task.train.targets.tolist() == [0, 1] * 12
