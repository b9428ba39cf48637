"""The numeric part of a training run, as a process: ``python -m classifier.fitting.jobs.process FOLDER FD``.

It uses no database. The files of `description.JobFolder` say what to fit, and the version and the predictions
for held-out clips are written beside them. Reports go to file descriptor FD, one JSON object a line:
``step``, ``epoch``, ``share`` (of a fit without epochs), ``line`` (of the log), ``failed`` and ``done``.

Standard input controls its life. "stop" on it ends the work after the current batch; its end, which the
kernel sends when the parent dies, ends the process at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
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

from classifier.fitting.artifact.export import ExportError
from classifier.fitting.data.feature_store import FeatureStore
from classifier.fitting.jobs.candidate import NothingNewError, RunControl, fit_candidate
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.jobs.description import JobFolder
from classifier.fitting.jobs.holdout import evaluate_candidate, predict_holdout
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.loop.parts import each_percent
from classifier.fitting.loop.reports import EpochReport

NICENESS = 10
_LITTLE_SPACE = 1 << 20
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the job cannot be done: a code and what belongs in its sentence."""

    code: str
    params: dict[str, Any]


class Reports:
    """Reports to the parent process."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def send(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._file.flush()


def main(folder: Path, descriptor: int) -> int:
    """Do the job in `folder`; give the exit status."""
    # Keras and its graphs are very many objects that stay: at the usual threshold a tenth of a short run
    # goes into the search for garbage among them.
    gc.set_threshold(50_000, 20, 20)
    reports = Reports(descriptor)
    stop = threading.Event()
    threading.Thread(target=_watch_parent, args=(stop,), name="watch-parent", daemon=True).start()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))
    try:
        with _exclusive(JobFolder(folder)):
            _work(JobFolder(folder), reports, stop.is_set)
    except Exception as error:  # noqa: BLE001  # whatever it was is reported to the parent
        if stop.is_set():
            return 1
        traceback.print_exc()
        failure = _failure(error, folder)
        reports.send("failed", code=failure.code, params=failure.params)
        return 1
    reports.send("done")
    return 0


def _watch_parent(stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(1)


@contextlib.contextmanager
def _exclusive(folder: JobFolder) -> Iterator[None]:
    """Wait until a process that worked here before has ended: two would write one checkpoint."""
    with folder.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _failure(error: Exception, folder: Path) -> Failure:
    if isinstance(error, NothingNewError):
        return Failure("run_nothing_new", {})
    # HDF5 and TensorFlow report a full disk in the message only.
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    if full or shutil.disk_usage(folder).free < _LITTLE_SPACE:
        return Failure("run_disk_full", {"place": str(folder)})
    detail = f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL]
    code = "run_export_failed" if isinstance(error, ExportError) else "run_fit_failed"
    return Failure(code, {"detail": detail})


def _work(folder: JobFolder, reports: Reports, should_stop: Callable[[], bool]) -> None:
    job = folder.read_description()
    clips = RunClips.read(folder.clips)
    features = FeatureStore.open(job.features)
    use_threads(job.threads)

    def on_step(step: str) -> None:
        control.check_stopped()
        reports.send("step", step=step)

    def on_epoch(report: EpochReport) -> None:
        reports.send("epoch", **_finite(asdict(report)))

    on_share = each_percent(lambda share: reports.send("share", share=share))
    control = RunControl(on_step=on_step, on_epoch=on_epoch, on_share=on_share, should_stop=should_stop)
    fit_candidate(job, clips, features, folder=folder, control=control)
    # The name of this step is stored in rows and shown by pages.
    on_step("judge")
    evaluate_candidate(job, clips, features, folder=folder, check_stopped=control.check_stopped)
    predictions = predict_holdout(job, clips, features, folder=folder, check_stopped=control.check_stopped)
    control.check_stopped()
    folder.holdout_predictions.write_text(json.dumps(predictions), encoding="utf-8")


def _finite(report: dict[str, Any]) -> dict[str, Any]:
    """Replace figures that are not finite, which JSON does not have, by None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in report.items()
    }


if __name__ == "__main__":
    status = main(Path(sys.argv[1]), int(sys.argv[2]))
    # What is there ends with the process: a last search for garbage in it takes a second.
    gc.freeze()
    sys.exit(status)
