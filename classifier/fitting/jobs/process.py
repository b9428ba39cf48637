"""The numeric part of a training run, as a process: ``python -m classifier.fitting.jobs.process FOLDER FD``.

It knows no rows. ``job.json`` and ``entries.npz`` in the folder say what to learn; the version is written
to ``result/`` beside them, and what it and the version in service say about held-out clips to
``judgement.json``. Reports go to file descriptor FD, one JSON object a line: ``step``, ``epoch``, ``line``
(of the log), ``failed`` and ``done``.

Standard input is a lifeline. "stop" on it ends the work after the batch that is being learnt; its end, which
the kernel sends when the parent dies, ends the process at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

JOB_FILE, ENTRIES_FILE, JUDGEMENT_FILE, RESULT_FOLDER = (
    "job.json",
    "entries.npz",
    "judgement.json",
    "result",
)
NICENESS = 10
_LITTLE_SPACE = 1 << 20
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the job cannot be done: a code and what belongs in its sentence."""

    code: str
    params: dict[str, Any]


class Reports:
    """The way back to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def send(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._file.flush()


def main(folder: Path, descriptor: int) -> int:
    """Do the job in `folder`; give the exit status."""
    reports = Reports(descriptor)
    stop = threading.Event()
    threading.Thread(target=_hold_on, args=(stop,), name="lifeline", daemon=True).start()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))
    try:
        with _alone(folder):
            _work(folder, reports, stop.is_set)
    except Exception as error:  # noqa: BLE001  # whatever it was is told to whoever waits
        if stop.is_set():
            return 1
        traceback.print_exc()
        failure = _failure(error, folder)
        reports.send("failed", code=failure.code, params=failure.params)
        return 1
    reports.send("done")
    return 0


def _hold_on(stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(1)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until a process that worked here before has ended: two would write one checkpoint."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _failure(error: Exception, folder: Path) -> Failure:
    from classifier.fitting.jobs.candidate import NothingNewError
    from classifier.fitting.release.train import ExportError

    if isinstance(error, NothingNewError):
        return Failure("run_nothing_new", {})
    # HDF5 and TensorFlow tell of a full disk in words only.
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    if full or shutil.disk_usage(folder).free < _LITTLE_SPACE:
        return Failure("run_disk_full", {"place": str(folder)})
    detail = f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL]
    code = "run_export_failed" if isinstance(error, ExportError) else "run_fit_failed"
    return Failure(code, {"detail": detail})


def _work(folder: Path, reports: Reports, should_stop: Callable[[], bool]) -> None:
    from classifier.fitting.data.feature_store import FeatureStore
    from classifier.fitting.jobs import candidate
    from classifier.fitting.loop.epochs import use_threads

    job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    entries = candidate.RunClips.read(folder / ENTRIES_FILE)
    material = FeatureStore.open(Path(job["material"]))
    use_threads(job["threads"])

    def on_step(step: str) -> None:
        watch.check_stopped()
        reports.send("step", step=step)

    def on_epoch(report: Any) -> None:
        reports.send("epoch", **_finite(asdict(report)))

    watch = candidate.RunControl(on_step=on_step, on_epoch=on_epoch, should_stop=should_stop)
    make = candidate.quick if job["kind"] == "quick" else candidate.full
    result = folder / RESULT_FOLDER
    make(job, entries, material, work=folder, out=result, watch=watch)
    on_step("judge")
    judgement = candidate.judge(job, entries, material, out=result, watch=watch)
    watch.check_stopped()
    (folder / JUDGEMENT_FILE).write_text(json.dumps(judgement), encoding="utf-8")


def _finite(report: dict[str, Any]) -> dict[str, Any]:
    """Say None for a figure that is no number, which JSON does not have."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in report.items()
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
