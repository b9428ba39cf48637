"""From a queued run to a candidate: the snapshot, the training process, the new version.

Nothing here imports Keras or TensorFlow. The numeric work is done by a child process, which frees its memory
by ending, and which ends with this one however this one ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from classifier import registry
from classifier.fitting.jobs.clips import TRAINED_ON
from classifier.fitting.jobs.description import JobFolder
from classifier.models import ModelVersion
from genreweb.jobs import Event
from training.errors import TrainingError
from training.models import DatasetSnapshot, TrainingRun
from training.services import claims, events, job_files, preflight, run_storage, snapshots
from training.services.child import Child
from training.services.claims import CancelledError, RunClaim

Step, Status = TrainingRun.Step, TrainingRun.Status

# Of the whole, done when a step begins.
_BEGINS = {
    Step.SNAPSHOT: 0.0,
    Step.FEATURES: 0.02,
    Step.FIT: 0.08,
    Step.EXPORT: 0.9,
    Step.EVALUATE: 0.93,
    Step.SAVE: 0.98,
}
# Seconds that exporting, evaluating and saving take after the last epoch, as far as nothing better is known.
_SECONDS_AFTER_FIT = 40.0


def train(*, run_id: UUID) -> bool:
    """Take one queued run to its end; False where there was nothing to do or the claim was lost."""
    done = claims.JOBS.process(run_id, _train_or_cancel)
    if done and not TrainingRun.objects.filter(pk=run_id, status__in=TrainingRun.ACTIVE).exists():
        run_storage.forget(run_id)
    return done


def _train_or_cancel(claimed: RunClaim) -> None:
    try:
        _train(claimed)
    except CancelledError:
        with transaction.atomic():
            if claims.JOBS.cancel(claimed.rows()):
                claims.JOBS.note(claimed.run.pk, Event.CANCELLED)


def _train(claimed: RunClaim) -> None:
    run = claimed.run
    again = claimed.attempt > 1
    claimed.say("claimed_again" if again else "claimed", **({"attempt": claimed.attempt} if again else {}))
    claimed.look()
    base = ModelVersion.objects.in_service()
    snapshot = _snapshot(claimed)
    features = _features(claimed, snapshot)
    with job_files.prepared(run, snapshot=snapshot, features=features, base=base) as job:
        if job.withdrawn:
            claimed.say("withdrawn", clips=job.withdrawn)
        claimed.step(Step.FIT, _BEGINS[Step.FIT], seconds_left=run.eta_seconds)
        claimed.say(
            f"fit_{run.kind}",
            clips=job.trained_on,
            genres=len(job.description.labels),
            architecture=run.architecture,
        )
        _follow(claimed, job.folder)
        _save(claimed, job)


def _snapshot(claimed: RunClaim) -> DatasetSnapshot:
    run = claimed.run
    if run.snapshot is not None:
        return run.snapshot
    claimed.step(Step.SNAPSHOT, _BEGINS[Step.SNAPSHOT], seconds_left=run.eta_seconds)
    snapshot, plan = snapshots.freeze(run, save=lambda made: claimed.update(snapshot=made))
    run.snapshot = snapshot
    sides = [entry.split for entry in plan.entries]
    trained_on = sum(side in TRAINED_ON if run.kind == run.Kind.QUICK else side == "train" for side in sides)
    claimed.say("snapshot", clips=len(sides), train=trained_on, rest=len(sides) - trained_on)
    for code, params in preflight.plan_notes(plan):
        claimed.say(code, **params)
    return snapshot


def _features(claimed: RunClaim, snapshot: DatasetSnapshot) -> Path:
    claimed.step(Step.FEATURES, _BEGINS[Step.FEATURES], seconds_left=claimed.run.eta_seconds)
    width = _BEGINS[Step.FIT] - _BEGINS[Step.FEATURES]

    def on_clip(done: int, total: int) -> None:
        if done % 100 == 0:
            claimed.look()
            claimed.update(progress=_BEGINS[Step.FEATURES] + width * done / total)

    gathered = run_storage.gather(snapshot, on_clip=on_clip)
    # Only now: most clips of a new snapshot are in the feature store of the last one.
    run_storage.tidy(keep=snapshot.digest)
    claimed.say("features", clips=gathered.clips, cached=gathered.cached)
    return gathered.folder


def _follow(claimed: RunClaim, folder: JobFolder) -> None:
    """Run the training process and pass on its reports, until it is done."""
    began = time.monotonic()
    handlers: dict[str, Callable[[dict[str, Any]], None]] = {
        "step": lambda report: claimed.step(
            Step(report["step"]), _BEGINS[Step(report["step"])], seconds_left=report.get("seconds_left")
        ),
        "epoch": lambda report: _epoch(claimed, report),
        "share": lambda report: _share(claimed, report["share"], seconds=time.monotonic() - began),
        "line": lambda report: claimed.say(report["code"], **report["params"]),
        "failed": _raise_failure,
    }
    with Child(folder) as child:
        for report in child.listen(look=claimed.look):
            handlers[report["event"]](report)


def _epoch(claimed: RunClaim, report: dict[str, Any]) -> None:
    begin, end = _BEGINS[Step.FIT], _BEGINS[Step.EXPORT]
    claimed.epoch(
        report["epoch"],
        progress=begin + (end - begin) * report["epoch"] / max(report["epochs"], 1),
        seconds_left=report["seconds_left"] + _SECONDS_AFTER_FIT,
        figures={name: report[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")},
    )


def _share(claimed: RunClaim, share: float, *, seconds: float) -> None:
    """Show how much of a fit without epochs is done; what is left goes on as what is done went."""
    begin, end = _BEGINS[Step.FIT], _BEGINS[Step.EXPORT]
    progress = begin + (end - begin) * share
    claimed.progress(progress=progress, eta_seconds=seconds * (1 - progress) / (progress - begin))


def _raise_failure(report: dict[str, Any]) -> None:
    raise TrainingError(report["code"], report["params"])


def _save(claimed: RunClaim, job: job_files.Job) -> None:
    """Keep the result as a version; the run is done in the same transaction, or neither is there."""
    claimed.look()
    claimed.step(Step.SAVE, _BEGINS[Step.SAVE], seconds_left=1.0)
    predictions = job.folder.read_holdout_predictions()

    def finish(version: ModelVersion) -> None:
        claimed.must_update(
            status=Status.DONE,
            step="",
            progress=1.0,
            eta_seconds=None,
            finished_at=timezone.now(),
            candidate=version,
            judgement=predictions,
        )
        events.run_finished(claimed.run.pk)

    try:
        version = registry.add_version(
            job.folder.result, name=job.description.name, source=ModelVersion.Source.TRAINED, then=finish
        )
    except OSError as error:
        raise TrainingError("run_storage", {"detail": error.strerror or str(error)}) from error
    claimed.say("judged", clips=len(predictions["holdout"]["clips"]))
    claimed.say("saved", name=version.name)
