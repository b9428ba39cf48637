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

from threadpoolctl import threadpool_limits

from classifier.cli.predictions import Failure, FilePredictor, FileResult, Task

# Answers come in order, so a long track holds up those of the shorter ones behind it, but not their hearing.
_AHEAD = 8
_CRASHED = "Reading it made the program crash."
# One process per core leaves nothing for the thread pools of NumPy's libraries.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_predictor: FilePredictor | None = None


def cores() -> int:
    """How many processor cores this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hear_all(
    paths: Sequence[Path], *, predictor: FilePredictor, task: Task, jobs: int
) -> Generator[FileResult | Failure, None, None]:
    """Hear every file, in the order given; close the iterator to stop early.

    Parameters
    ----------
    paths : sequence of Path
    predictor : FilePredictor
        Hears in this process where one is enough.
    task : Task
        Sent to the other processes.
    jobs : int
        Most processes to use.
    """
    if min(jobs, len(paths)) <= 1:
        return _predict_here(paths, predictor)
    return _hear_in_processes(paths, task=task, jobs=min(jobs, len(paths)))


def _predict_here(
    paths: Sequence[Path], predictor: FilePredictor
) -> Generator[FileResult | Failure, None, None]:
    # With a thread for each core, BLAS takes twice the processor time for the same result.
    with threadpool_limits(limits=1):
        for path in paths:
            yield predictor.predict_file(path)


def _hear_in_processes(
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
                    answer = pending[0][1].result()
                    pending.popleft()
                    yield answer
        except BrokenProcessPool:
            # One of the files being analysed killed its process. Which one is found by hearing the
            # first of them alone; the others are tried again.
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
    # Spawned, not forked: LiteRT and NumPy's libraries have threads that a fork would lose.
    context = multiprocessing.get_context("spawn")
    for variable in _ONE_THREAD:
        os.environ.setdefault(variable, "1")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(task,))
    try:
        yield pool
        pool.shutdown()
    finally:
        # After an interrupt nobody waits for what is still being analysed.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def _submit(pool: ProcessPoolExecutor, path: Path) -> Future[FileResult | Failure]:
    """Submit while Ctrl-C is held back: a process that starts now inherits that and leaves it to this one."""
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
    """A program that is killed cannot tell its processes; they must not wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _predict(path: Path) -> FileResult | Failure:
    if _predictor is None:
        raise RuntimeError("the process was not told its task")
    return _predictor.predict_file(path)
