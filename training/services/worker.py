"""From a queued run to a candidate: freeze the clips, learn and judge in a process apart, keep the result.

Nothing here imports Keras or TensorFlow. The numeric work is a child process, which gives its memory back by
ending, and which ends with this one however this one ends.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from classifier import registry
from classifier.models import ModelVersion
from genreweb.jobs import Event
from training.errors import TrainingError
from training.models import DatasetSnapshot, TrainingRun
from training.services import claims, job_files, preflight, run_storage, snapshots
from training.services.child import Child
from training.services.claims import CancelledError, RunClaim

Step, Status = TrainingRun.Step, TrainingRun.Status

# Of the whole, done when a step begins.
_BEGINS = {
    Step.SNAPSHOT: 0.0,
    Step.FEATURES: 0.02,
    Step.FIT: 0.08,
    Step.EXPORT: 0.9,
    Step.JUDGE: 0.93,
    Step.SAVE: 0.98,
}
# Seconds that writing, judging and saving take after the last epoch, as far as nothing better is known.
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
    material = _material(claimed, snapshot)
    with job_files.prepared(run, snapshot=snapshot, material=material, base=base) as job:
        if job.withdrawn:
            claimed.say("withdrawn", clips=job.withdrawn)
        claimed.step(Step.FIT, _BEGINS[Step.FIT], seconds_left=run.eta_seconds)
        claimed.say(
            f"fit_{run.kind}", clips=job.learnt, genres=len(job.labels), architecture=run.architecture
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
    learnt = sum(
        side in preflight.LEARNT if run.kind == run.Kind.QUICK else side == "train" for side in sides
    )
    claimed.say("snapshot", clips=len(sides), train=learnt, rest=len(sides) - learnt)
    for code, params in preflight.plan_notes(plan):
        claimed.say(code, **params)
    return snapshot


def _material(claimed: RunClaim, snapshot: DatasetSnapshot) -> Path:
    claimed.step(Step.FEATURES, _BEGINS[Step.FEATURES], seconds_left=claimed.run.eta_seconds)
    width = _BEGINS[Step.FIT] - _BEGINS[Step.FEATURES]

    def on_clip(done: int, total: int) -> None:
        if done % 100 == 0:
            claimed.look()
            claimed.update(progress=_BEGINS[Step.FEATURES] + width * done / total)

    gathered = run_storage.gather(snapshot, on_clip=on_clip)
    # Only now: most clips of a new snapshot are in the material of the last one.
    run_storage.tidy(keep=snapshot.digest)
    claimed.say("features", clips=gathered.clips, cached=gathered.cached)
    return gathered.folder


def _follow(claimed: RunClaim, folder: Path) -> None:
    """Run the numeric part and pass on what it says, until it is done."""
    handlers: dict[str, Callable[[dict[str, Any]], None]] = {
        "step": lambda said: claimed.step(
            Step(said["step"]), _BEGINS[Step(said["step"])], seconds_left=said.get("seconds_left")
        ),
        "epoch": lambda said: _epoch(claimed, said),
        "line": lambda said: claimed.say(said["code"], **said["params"]),
        "failed": _raise_failure,
    }
    with Child(folder) as child:
        for said in child.listen(look=claimed.look):
            handlers[said["event"]](said)


def _epoch(claimed: RunClaim, said: dict[str, Any]) -> None:
    begin, end = _BEGINS[Step.FIT], _BEGINS[Step.EXPORT]
    claimed.epoch(
        said["epoch"],
        progress=begin + (end - begin) * said["epoch"] / max(said["epochs"], 1),
        seconds_left=said["seconds_left"] + _SECONDS_AFTER_FIT,
        figures={name: said[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")},
    )


def _raise_failure(said: dict[str, Any]) -> None:
    raise TrainingError(said["code"], said["params"])


def _save(claimed: RunClaim, job: job_files.Job) -> None:
    """Keep the result as a version; the run is done in the same transaction, or neither is there."""
    claimed.look()
    claimed.step(Step.SAVE, _BEGINS[Step.SAVE], seconds_left=1.0)
    judgement = job.judgement()

    def finish(version: ModelVersion) -> None:
        claimed.must_update(
            status=Status.DONE,
            step="",
            progress=1.0,
            eta_seconds=None,
            finished_at=timezone.now(),
            candidate=version,
            judgement=judgement,
        )

    try:
        version = registry.add_version(
            job.result, name=job.name, source=ModelVersion.Source.TRAINED, then=finish
        )
    except OSError as error:
        raise TrainingError("run_storage", {"detail": error.strerror or str(error)}) from error
    claimed.say("judged", clips=len(judgement["holdout"]["clips"]))
    claimed.say("saved", name=version.name)
