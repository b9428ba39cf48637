"""The summary features of a piece of sound, computed in a process of its own.

librosa and Numba, which only they need, would add 230 MB to a worker for as long as it lives, and take three
seconds to import. The process stays while there is more to do and ends a little later.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.summary import COLUMNS, summarise

FloatArray = NDArray[np.float32]

IDLE_SECONDS: Final = 10.0
_TRIES: Final = 2
_HEADER: Final = np.dtype("<u4")
_SAMPLES: Final = np.dtype("<f4")
_VALUES: Final = np.dtype("<f8")


class Summariser:
    """Asks a process of its own, started when needed. Safe to share between threads and across a fork."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def summarise(self, samples: FloatArray) -> FloatArray:
        """(57,) float32 summary features of (n_samples,) mono samples at 22,050 Hz.

        Raises
        ------
        ValueError
            The samples are empty or have more than one dimension.
        OSError
            The process ended twice before it answered.
        """
        if samples.ndim != 1 or samples.size == 0:
            raise ValueError("samples must be a non-empty array of one dimension")
        if self._owner != os.getpid():
            # Process, pipes and lock are those of the process that this one was forked from.
            self._lock, self._process, self._owner = threading.Lock(), None, os.getpid()
        with self._lock:
            for _ in range(_TRIES):
                # It may have ended just now because it had nothing to do.
                if (answer := self._ask(samples)) is not None:
                    return answer
        raise OSError("The process that computes summary features ended before it answered.")

    def close(self) -> None:
        """End the process, where there is one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        process.wait()

    def _ask(self, samples: FloatArray) -> FloatArray | None:
        """One answer; None where the process ended instead."""
        if self._process is None:
            self._process = self._started()
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise OSError("The process that computes summary features has no pipes.")
        try:
            process.stdin.write(np.array(samples.size, _HEADER).tobytes())
            process.stdin.write(np.ascontiguousarray(samples, _SAMPLES).tobytes())
            process.stdin.flush()
            answer = process.stdout.read(len(COLUMNS) * _VALUES.itemsize)
        except BrokenPipeError:
            answer = b""
        if len(answer) < len(COLUMNS) * _VALUES.itemsize:
            self.close()
            return None
        return np.frombuffer(answer, _VALUES).astype(np.float32)

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own interpreter and arguments
            [sys.executable, "-m", "classifier.summaries", str(self._idle_seconds)],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


shared: Final = Summariser()
"""The one of this process."""
atexit.register(shared.close)


def serve(requests: IO[bytes], answers: IO[bytes], *, idle_seconds: float) -> None:
    """Answer until there is no more, or nothing is asked for `idle_seconds`.

    Parameters
    ----------
    requests
        Unbuffered, so that what waits in the pipe can be seen.
    """
    while select.select([requests], [], [], idle_seconds)[0]:
        header = _exactly(requests, _HEADER.itemsize)
        size = int(np.frombuffer(header, _HEADER)[0]) if header else 0
        content = _exactly(requests, size * _SAMPLES.itemsize)
        if not content:
            return
        values = summarise(np.frombuffer(content, _SAMPLES).astype(np.float32))
        answers.write(values.astype(_VALUES).tobytes())
        answers.flush()


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes; none where the stream ends before."""
    content = bytearray()
    while len(content) < size:
        part = stream.read(size - len(content))
        if not part:
            return b""
        content += part
    return bytes(content)


def main() -> None:
    """Serve the process that started this one, whose end ends this one as well."""
    with open(0, "rb", buffering=0) as requests:
        serve(requests, sys.stdout.buffer, idle_seconds=float(sys.argv[1]))


if __name__ == "__main__":
    main()
