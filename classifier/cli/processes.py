"""Many files at once: processes that predict, in the order in which the files were named."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path

from classifier.cli.predictions import Failure, FilePredictor, FileResult, Task

# Files submitted ahead per process. Results come in order, so a long track delays the output of the shorter
# ones behind it, but not their analysis.
_AHEAD = 8
_CRASHED = "Reading it made the program crash."
# With one process per core, thread pools in NumPy's libraries would only compete.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_predictor: FilePredictor | None = None


def cores() -> int:
    """Number of processor cores that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def predict_all(
    paths: Sequence[Path], *, predictor: FilePredictor, task: Task, jobs: int
) -> Generator[FileResult | Failure, None, None]:
    """Predict every file, in the given order; close the iterator to stop early.

    Parameters
    ----------
    paths : sequence of Path
    predictor : FilePredictor
        Used in this process if one is enough.
    task : Task
        Sent to the other processes.
    jobs : int
        Maximum number of processes.
    """
    if min(jobs, len(paths)) <= 1:
        return (predictor.predict_file(path) for path in paths)
    return _predict_in_processes(paths, task=task, jobs=min(jobs, len(paths)))


def _predict_in_processes(
    paths: Sequence[Path], *, task: Task, jobs: int
) -> Generator[FileResult | Failure, None, None]:
    remaining = deque(paths)
    while remaining:
        pending: deque[tuple[Path, Future[FileResult | Failure]]] = deque()
        try:
            with _pool(task, jobs) as pool:
                while remaining or pending:
                    while remaining and len(pending) < _AHEAD * jobs:
                        pending.append((remaining[0], _submit(pool, remaining[0])))
                        remaining.popleft()
                    result = pending[0][1].result()
                    pending.popleft()
                    yield result
        except BrokenProcessPool:
            # One of the pending files crashed its process. Predict the first of them alone and submit the
            # others again.
            remaining.extendleft(path for path, _ in reversed(pending))
            yield _predict_alone(remaining.popleft(), task)


def _predict_alone(path: Path, task: Task) -> FileResult | Failure:
    try:
        with _pool(task, 1) as pool:
            return _submit(pool, path).result()
    except BrokenProcessPool:
        return Failure(name=str(path), reason=_CRASHED)


@contextlib.contextmanager
def _pool(task: Task, jobs: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: the threads of LiteRT and NumPy's libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    for variable in _ONE_THREAD:
        os.environ.setdefault(variable, "1")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(task,))
    try:
        yield pool
        pool.shutdown()
    finally:
        # After an interrupt the results of running processes are not needed.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def _submit(pool: ProcessPoolExecutor, path: Path) -> Future[FileResult | Failure]:
    """Submit with SIGINT blocked: processes started now inherit that and leave Ctrl-C to this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_predict, path)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(task: Task) -> None:
    global _predictor  # noqa: PLW0603 - a process has no other place to keep what its initializer made
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _predictor = FilePredictor(task)


def _end_with_parent() -> None:
    """Exit when the parent process is gone, because a killed parent cannot stop its pool."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _predict(path: Path) -> FileResult | Failure:
    if _predictor is None:
        raise RuntimeError("the process has no task")
    return _predictor.predict_file(path)
