"""Runs from the queue to a candidate, in the process that really does them, and what may go wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from django.conf import settings as live_settings
from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from classifier import registry
from classifier.core import tagger
from classifier.fitting.data.feature_store import FeatureStore
from classifier.models import Genre, ModelVersion
from classifier.tests import processes
from genreweb.accounts.models import User
from library.models import Track
from training.models import Clip, SnapshotClip, TrainingEpoch, TrainingRun
from training.services import claims, clip_tags, run_storage, runs, worker
from training.services.features import pack, read_features
from training.services.releases import sync_release
from training.tests.job_files import columns, finish, make_run, teach
from training.tests.test_run_results import (
    assert_it_can_serve,
    assert_it_is_all_that_ships,
    head_of,
    tags_for,
)

Genres = dict[str, Genre]


# Each test runs a training process of its own.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("training_dir")]


def codes(run: TrainingRun) -> list[str]:
    return list(run.messages.values_list("code", flat=True))


@pytest.fixture
def clips(classifier_in_service: ModelVersion, owner: User, genres: Genres) -> list[Clip]:
    return teach(genres, contributor=owner)


# --- what goes wrong -------------------------------------------------------------------------------------
def test_a_clip_whose_features_changed_is_named(clips: list[Clip], stored: Callable[[], list[str]]) -> None:
    bad = clips[7]
    bad.features.save("other.npz", ContentFile(pack(columns(3, 1))), save=False)
    Clip.objects.filter(pk=bad.pk).update(features=bad.features.name)
    run = finish(make_run())
    assert (run.status, run.error_code) == ("failed", "run_bad_clip")
    assert run.error_params == {"clip": str(bad.pk), "title": bad.title, "why": "changed"}
    assert run.candidate is None
    assert run.finished_at is not None
    assert codes(run)[-1] == "failed"
    assert not any(name.startswith("versions/") for name in stored())


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive"])
def test_a_clip_whose_features_are_gone_or_damaged_is_named(clips: list[Clip], content: bytes | None) -> None:
    bad = clips[3]
    storage, name = bad.features.storage, str(bad.features.name)
    storage.delete(name)
    if content is not None:
        storage.save(name, ContentFile(content))
    run = finish(make_run())
    assert (run.status, run.error_code) == ("failed", "run_bad_clip")
    assert run.error_params == {"clip": str(bad.pk), "title": bad.title, "why": "unreadable"}
    assert not any(path.is_file() for path in (run_storage.root() / "material").rglob("*"))


def test_a_full_disk_is_said(clips: list[Clip]) -> None:
    with patch(
        "classifier.fitting.data.feature_store.FeatureStoreWriter.add",
        side_effect=OSError(errno.ENOSPC, "No space left"),
    ):
        run = finish(make_run())
    assert (run.status, run.error_code) == ("failed", "run_disk_full")
    assert str(run_storage.root()) in run.error_params["place"]
    assert not any(path.is_file() for path in (run_storage.root() / "material").rglob("*"))


@pytest.mark.usefixtures("clips")
@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ("OSError: [Errno 28] file write failed: No space left on device", "failed", "run_disk_full"),
        ("something else", "queued", ""),
    ],
)
def test_a_process_that_a_full_disk_ends_is_told_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: str, code: str
) -> None:
    # As HDF5 does, which cannot close its files then.
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{said}'\nkill -SEGV $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    run = finish(make_run())
    assert (run.status, run.error_code) == (status, code)
    if code:
        assert str(run_storage.root()) in run.error_params["place"]


def test_a_fault_that_may_pass_is_tried_again_and_then_given_up(
    clips: list[Clip], settings: Settings
) -> None:
    run = make_run()
    with patch.object(run_storage, "gather", side_effect=OSError(errno.EIO, "the storage is away")):
        for _ in range(settings.TRAINING_ATTEMPTS - 1):
            assert finish(run).status == "queued"
        assert finish(run).status == "failed"
    assert run.error_code == "run_internal"
    assert codes(run).count("try_again") == settings.TRAINING_ATTEMPTS - 1


def test_a_run_without_anything_to_learn_says_so(classifier_in_service: ModelVersion) -> None:
    run = finish(make_run(kind="quick", architecture="residual-cnn"))
    assert (run.status, run.error_code) == ("failed", "run_nothing_new")


def test_features_are_fetched_once(clips: list[Clip], owner: User, genres: Genres) -> None:
    first = finish(make_run())
    again = make_run()
    with patch("training.services.run_storage.read_features", side_effect=AssertionError("fetched twice")):
        finish(again)
    assert again.status == first.status == "done"
    said = {row.code: row.params for row in again.messages.all()}
    assert said["features"] == {"clips": len(clips), "cached": len(clips)}

    # Of more clips, those that are new.
    teach({"jazz": genres["jazz"]}, names=("jazz",), first=2, each=3, contributor=owner)
    fetched: list[Any] = []
    real = read_features

    def note(clip: Clip) -> Any:
        fetched.append(clip.pk)
        return real(clip)

    with patch("training.services.run_storage.read_features", note):
        run = finish(make_run())
    assert len(fetched) == 3
    assert run.snapshot is not None
    # What an earlier snapshot held is no longer on the disk twice.
    assert [path.name for path in (run_storage.root() / "material").iterdir()] == [run.snapshot.digest]


def test_what_was_withdrawn_since_is_not_learnt(clips: list[Clip]) -> None:
    run = make_run()
    claim = claims.claim(run.pk)
    assert claim is not None
    snapshot = worker._snapshot(claim)
    Clip.objects.filter(pk=clips[0].pk).delete()
    assert SnapshotClip.objects.filter(snapshot=snapshot, clip=None).count() == 1
    TrainingRun.objects.filter(pk=run.pk).update(status="queued")
    run = finish(run)
    assert run.status == "done"
    said = {row.code: row.params for row in run.messages.all()}
    assert said["withdrawn"] == {"clips": 1}
    # Its features do not stay on the worker's disk either.
    run_storage.tidy()
    assert not (run_storage.root() / "material" / snapshot.digest).exists()


def test_a_run_that_is_asked_to_end_before_it_starts_ends(clips: list[Clip]) -> None:
    run = make_run(cancel_requested=True)
    assert finish(run).status == "cancelled"
    assert run.candidate is None


def test_nothing_is_done_for_a_run_that_is_gone_or_over(clips: list[Clip]) -> None:
    run = make_run(status="cancelled")
    assert not worker.train(run_id=run.pk)
    run.delete()
    assert not worker.train(run_id=run.pk)


def test_a_candidate_that_cannot_be_stored_leaves_nothing(
    clips: list[Clip], stored: Callable[[], list[str]]
) -> None:
    with patch("classifier.version_files.store", side_effect=OSError(errno.EIO, "Input/output error")):
        run = finish(make_run())
    assert (run.status, run.error_code) == ("failed", "run_storage")
    assert run.error_params == {"detail": "Input/output error"}
    assert not any(name.startswith("versions/") for name in stored())


def test_who_was_overtaken_at_the_end_leaves_nothing(
    clips: list[Clip], stored: Callable[[], list[str]]
) -> None:
    versions = ModelVersion.objects.count()
    run = make_run()
    real = claims.RunClaim.update

    def lose(claim: claims.RunClaim, **fields: object) -> bool:
        return False if fields.get("status") == "done" else real(claim, **fields)

    with patch.object(claims.RunClaim, "update", lose):
        assert not worker.train(run_id=run.pk)
    assert ModelVersion.objects.count() == versions
    assert not any(name.startswith("versions/") for name in stored())


# --- other processes -------------------------------------------------------------------------------------
def children() -> list[psutil.Process]:
    return processes.children("classifier.fitting.jobs.process")


def wait_for(what: str, condition: Callable[[], object], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.05)


@pytest.fixture
def on_disk(settings: Settings, tmp_path: Path) -> Path:
    """Keep files where other processes find them."""
    media = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "genreweb.storage.SignedFileSystemStorage", "OPTIONS": {"location": media}},
    }
    return media


class Worker:
    """A process that does one run, as a Celery worker's does, and can be killed."""

    def __init__(self, run: TrainingRun, media: Path, training: Path) -> None:
        database = connection.settings_dict
        code = (
            "import django; django.setup(); import sys, uuid; from training.services import worker;"
            "worker.train(run_id=uuid.UUID(sys.argv[1]))"
        )
        host = database["OPTIONS"].get("host") or database["HOST"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(run.pk)],
            cwd=live_settings.BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "training.tests.worker_settings",
                "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={host}",
                "SECRET_KEY": live_settings.SECRET_KEY,
                "WORKER_MEDIA": str(media),
                "TRAINING_DIR": str(training),
            },
        )

    def family(self) -> list[psutil.Process]:
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(on_disk: Path, training_dir: Path) -> Iterator[Callable[[TrainingRun], Worker]]:
    started: list[Worker] = []

    def make(run: TrainingRun) -> Worker:
        started.append(Worker(run, on_disk, training_dir))
        return started[-1]

    yield make
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def committed_clips(transactional_db: None, on_disk: Path) -> list[Clip]:

    sync_release()
    owner = User.objects.create_user("committed@example.org")
    return teach(Genre.objects.in_bulk(field_name="slug"), contributor=owner)


def test_what_a_killed_worker_began_becomes_one_candidate_that_can_serve(
    committed_clips: list[Clip],
    start: Callable[[TrainingRun], Worker],
    curator: User,
    finished_track: Callable[..., Track],
) -> None:
    champion, installed = registry.in_service().version, tagger.installed()
    if installed is not None:
        for clip in committed_clips:
            if clip.genre.slug == "rock":
                clip_tags.assign(clip, tags_for(installed, 0))
        Clip.objects.bulk_update(committed_clips, clip_tags.FIELDS)
    # That the weights are those of an undisturbed fit is tested where networks are fitted.
    epochs = 5
    run = make_run(architecture="residual-cnn", epochs=epochs)
    versions = ModelVersion.objects.count()
    killed = start(run)
    wait_for("an epoch", run.epoch_rows.exists, seconds=600)
    family = killed.family()
    assert len(family) == 2
    killed.kill()
    # The process ends when its worker is gone.
    _gone, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    written = {row.number: row.at for row in run.epoch_rows.all()}
    assert len(written) < epochs
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    claims.sweep()
    run.refresh_from_db()
    assert run.status == "queued"
    assert start(run).process.wait(600) == 0
    run.refresh_from_db()
    assert (run.status, run.error_params) == ("done", {})
    assert run.attempt == 2
    assert ModelVersion.objects.count() == versions + 1
    assert list(run.epoch_rows.values_list("number", flat=True)) == list(range(1, epochs + 1))
    assert {row.number: row.at for row in run.epoch_rows.filter(number__in=written)} == written
    for row in run.epoch_rows.all():
        assert row.val_loss is not None
        assert 0 <= (row.val_accuracy or 0) <= 1
    version = run.candidate
    assert version is not None
    assert (version.labels, version.metadata["architecture"]) == (["blues", "rock"], "residual-cnn")
    assert_it_is_all_that_ships(run, version)
    if installed is not None:
        assert version.metadata["ensemble"]["params"] == champion.metadata["ensemble"]["params"]
        assert head_of(version).labels == ("blues", "rock")
        assert head_of(version).probabilities(tags_for(installed, 0).row)["rock"] > 0.7
    owner = committed_clips[0].contributor
    assert owner is not None
    assert_it_can_serve(version, owner=owner, curator=curator, finished_track=finished_track)


def test_cancelling_ends_a_run_at_once(
    committed_clips: list[Clip], start: Callable[[TrainingRun], Worker]
) -> None:
    run = make_run(architecture="feature-mlp", epochs=runs.MOST_EPOCHS * 1000 % 32_000)
    going = start(run)
    wait_for("an epoch", lambda: TrainingEpoch.objects.filter(run=run).exists())
    run.refresh_from_db()
    assert runs.cancel_run(run=run)
    asked = time.monotonic()
    wait_for("the end", lambda: TrainingRun.objects.get(pk=run.pk).status == "cancelled", seconds=20)
    assert time.monotonic() - asked < 10
    assert going.process.wait(20) == 0
    assert ModelVersion.objects.filter(run=run).count() == 0
    assert not run_storage.run_folder(run.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_child_that_is_killed_is_tried_again(
    committed_clips: list[Clip],
) -> None:
    run = make_run(architecture="feature-mlp", epochs=20_000)
    killed = threading.Event()

    def kill() -> None:
        wait_for("the child", children)
        wait_for("an epoch", lambda: TrainingEpoch.objects.filter(run=run).exists())
        for process in children():
            process.kill()
        connection.close()
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    finish(run)
    thread.join()
    assert killed.is_set()
    assert run.status == "queued"
    assert run.epoch_rows.exists()
    assert codes(run)[-1] == "try_again"
    assert (run_storage.run_folder(run.pk) / "job.json").exists()
    assert json.loads((run_storage.run_folder(run.pk) / "job.json").read_text())["seed"] == 0
    assert len(FeatureStore.open(next((run_storage.root() / "material").iterdir()))) == len(committed_clips)
