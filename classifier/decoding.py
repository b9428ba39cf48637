"""Decode sounds of strangers in a confined process, so that what one of them breaks is the answer about it.

A process is started when it is needed, or one beforehand, answers one request after the other, and ends when
there was nothing to do for a while. What it may use is limited by the system; what takes too long is ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import math
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np

from classifier.core.audio import (
    AUDIO_ERROR_MESSAGES,
    DEFAULT_LIMITS,
    Audio,
    AudioError,
    AudioInfo,
    AudioLimits,
)
from classifier.core.file_tags import FileTags
from classifier.decoder_answers import head_in, info_in, loudness_in, tags_in
from classifier.decoder_files import Growing, descriptor_of, read_all, scratch
from classifier.decoder_process import LENGTH_BYTES, MOST_MESSAGE_BYTES, READY

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
START_SECONDS: Final = 120.0
QUEUE_SECONDS: Final = 20.0
PROBE_SECONDS: Final = 4
"""Of the processor; a file that takes longer is made to."""
_WALL_FACTOR: Final = 4.0
"""How much longer a deadline is than the processor's time, for a machine that has other things to do."""
_LOOK_SECONDS: Final = 0.05
"""Between two looks at what is written while it is written."""
# Ends of a process that the sound brought about, and not somebody who ended it.
_CRASHES: Final = {
    *(signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
    *(signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS, signal.SIGTRAP),
}


class DecoderBusyError(OSError):
    """Every process was busy for too long."""


class DecoderLostError(OSError):
    """The process ended for a reason that has nothing to do with the sound."""


@dataclass(frozen=True, slots=True)
class _Task:
    action: str
    limits: AudioLimits
    seconds: int
    more: dict[str, Any]

    def message(self) -> bytes:
        asked = {"action": self.action, "limits": asdict(self.limits), "seconds": self.seconds, **self.more}
        content = json.dumps(asked).encode()
        return len(content).to_bytes(LENGTH_BYTES, "little") + content


class Decoder:
    """Up to `size` processes that decode. Safe to share between threads and across a fork."""

    def __init__(self, *, size: int = 2, idle_seconds: float = IDLE_SECONDS) -> None:
        self._size = size
        self._idle_seconds = idle_seconds
        self._owner = 0
        self._places = threading.BoundedSemaphore(size)
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self._first, self._first_idle_seconds = cast("_Process | None", None), idle_seconds

    def start(self, *, idle_seconds: float) -> None:
        """Start a process before there is a sound; one will wait for so long for the next, others less."""
        self._begin()
        self._first_idle_seconds = idle_seconds
        self._idle.put(self._fresh())

    def probe(self, file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS) -> AudioInfo:
        """Do `classifier.core.audio.probe`; the errors are those of `decode`."""
        return info_in(self._run(_Task("probe", limits, PROBE_SECONDS, {}), file)[0])

    def decode(
        self, file: BinaryIO, *, limits: AudioLimits = DEFAULT_LIMITS, loudness: bool = False
    ) -> Audio:
        """Do `classifier.core.audio.decode`.

        Raises
        ------
        AudioError
            As there; ``undecodable`` also where decoding crashed, or took too much memory or time.
        DecoderBusyError
            Nothing was tried, as all processes have been busy for a while.
        OSError
            Reading the file fails, or the process was ended by somebody.
        """
        task = _Task("decode", limits, 20 + int(limits.max_duration / 30), {"loudness": loudness})
        answer, output = self._run(task, file)
        if len(output) % 4 or not isinstance(answer, dict) or "samples" in answer:
            raise AudioError("undecodable")
        samples = np.frombuffer(output, "<f4").astype(np.float32, copy=False)
        try:
            fields = {
                "info": info_in(answer.get("info")),
                "loudness": loudness_in(answer.get("loudness")),
                "samples": samples,
            }
            return Audio(**{**answer, **fields})
        except TypeError as error:
            raise AudioError("undecodable") from error

    def encode_playback(
        self,
        file: BinaryIO,
        *,
        limits: AudioLimits = DEFAULT_LIMITS,
        start: float = 0.0,
        end: float = math.inf,
    ) -> bytes:
        """Do `classifier.core.playback.encode_playback`; the errors are those of `decode`."""
        more = {"start": start, "end": None if math.isinf(end) else end}
        task = _Task("encode_playback", limits, 20 + int(limits.max_duration / 10), more)
        return bytes(self._run(task, file)[1])

    def encode_copy(
        self,
        file: BinaryIO,
        *,
        target: str,
        bit_rate: int,
        limits: AudioLimits = DEFAULT_LIMITS,
        sink: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Do `classifier.core.encoding.encode_copy`; the errors are those of `decode`.

        What `sink` raises ends the process and is raised here.
        """
        more = {"target": target, "bit_rate": bit_rate}
        task = _Task("encode_copy", limits, 20 + int(limits.max_duration / 5), more)
        answer, output = self._run(task, file, sink)
        head = head_in(answer)
        return head + output[len(head) :]

    def copy_from(
        self, file: BinaryIO, *, target: str, start: float, limits: AudioLimits = DEFAULT_LIMITS
    ) -> bytes:
        """Do `classifier.core.encoding.copy_from`; the errors are those of `decode`."""
        more = {"target": target, "start": start}
        return bytes(self._run(_Task("copy_from", limits, 20, more), file)[1])

    def file_tags(self, file: BinaryIO) -> FileTags:
        """Do `classifier.core.file_tags.read_file_tags`; empty tags where reading them fails.

        Raises
        ------
        DecoderBusyError, OSError
            As `decode`.
        """
        try:
            answer, cover = self._run(_Task("file_tags", DEFAULT_LIMITS, PROBE_SECONDS, {}), file)
        except AudioError:
            return FileTags()
        return tags_in(answer, bytes(cover))

    def close(self) -> None:
        """End the processes that have nothing to do."""
        if self._owner != os.getpid():
            return
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _run(
        self, task: _Task, file: BinaryIO, sink: Callable[[bytes], None] | None = None
    ) -> tuple[Any, bytearray]:
        self._begin()
        if not self._places.acquire(timeout=QUEUE_SECONDS):
            raise DecoderBusyError("every decoder is busy")
        try:
            with descriptor_of(file) as sound, scratch() as output:
                growing = Growing(output, sink) if sink else None
                answer = self._process_for(task, sound, output, growing)
                if growing:
                    growing.look()
                return answer, read_all(output)
        finally:
            self._places.release()

    def _begin(self) -> None:
        if self._owner != os.getpid():
            # The processes and locks are those of the process that this one was forked from.
            self._places, self._idle = threading.BoundedSemaphore(self._size), queue.LifoQueue()
            self._first = None
            self._owner = os.getpid()

    def _fresh(self) -> _Process:
        if self._first is not None and self._first.lives:
            return _Process(idle_seconds=self._idle_seconds)
        self._first = _Process(idle_seconds=self._first_idle_seconds)
        return self._first

    def _process_for(self, task: _Task, sound: int, output: int, growing: Growing | None = None) -> Any:
        while True:
            try:
                process, fresh = self._idle.get_nowait(), False
            except queue.Empty:
                process, fresh = self._fresh(), True
            try:
                answer = process.ask(task, sound, output, growing)
            except _EndedBeforeError as error:
                process.close()
                if fresh:
                    raise DecoderLostError("the decoder ended before it was asked") from error
                # It had nothing to do for too long and ended just now.
                continue
            except BaseException:
                process.close()
                raise
            self._idle.put(process)
            return _result(answer, task)


class _EndedBeforeError(Exception):
    """The process had ended before it took the request."""


class _Process:
    """One confined process."""

    def __init__(self, *, idle_seconds: float) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and arguments
                [sys.executable, "-m", "classifier.decoder_process", str(idle_seconds)],
                cwd=Path(__file__).resolve().parents[1],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # No setting and no secret of the site. More threads would only take memory.
                env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        try:
            self.granted = self._receive(time.monotonic() + START_SECONDS)[READY]
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise DecoderLostError("the decoder does not start") from error

    def ask(self, task: _Task, sound: int, output: int, growing: Growing | None = None) -> Any:
        """Give the answer, as it came; until it does, look at what grows.

        Raises
        ------
        AudioError
            ``undecodable``: the process crashed, or took too long.
        DecoderLostError
            Somebody ended it.
        _EndedBeforeError
            It did not take the request.
        """
        deadline = time.monotonic() + _WALL_FACTOR * task.seconds
        try:
            socket.send_fds(self._channel, [task.message()], [sound, output])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _EndedBeforeError from error
        try:
            if growing:
                self._wait(deadline, growing)
            return self._receive(deadline)
        except TimeoutError as error:
            log.warning("a sound was not decoded within %.0f s", _WALL_FACTOR * task.seconds)
            raise AudioError("undecodable") from error
        except (OSError, ValueError) as error:
            status = self._end_status()
            if status == 0:
                raise _EndedBeforeError from error
            if -status in _CRASHES or status > 0 or isinstance(error, ValueError):
                log.warning("decoding a sound ended the decoder: status %d", status)
                raise AudioError("undecodable") from error
            raise DecoderLostError(f"the decoder was ended by signal {-status}") from error

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _end_status(self) -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5)
        self._process.kill()
        self._process.wait()
        # It lives, and said something that is no answer.
        return 1

    def _wait(self, deadline: float, growing: Growing) -> None:
        while time.monotonic() < deadline:
            self._channel.settimeout(_LOOK_SECONDS)
            with contextlib.suppress(TimeoutError):
                self._channel.recv(1, socket.MSG_PEEK)
                return
            growing.look()

    def _receive(self, deadline: float) -> Any:
        length = int.from_bytes(self._exactly(LENGTH_BYTES, deadline), "little")
        if length > MOST_MESSAGE_BYTES:
            raise ValueError("an answer is too long")
        return json.loads(self._exactly(length, deadline))

    def _exactly(self, size: int, deadline: float) -> bytes:
        content = b""
        while len(content) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
            part = self._channel.recv(size - len(content))
            if not part:
                raise ConnectionResetError
            content += part
        return content


def _result(answer: Any, task: _Task) -> Any:
    """Give what an answer holds; nothing of it is believed that was not looked at."""
    if isinstance(answer, dict):
        if "result" in answer:
            return answer["result"]
        if isinstance(number := answer.get("unreadable"), int):
            raise OSError(number, os.strerror(number))
        refused = answer.get("refused")
        if isinstance(refused, dict) and refused.get("code") in AUDIO_ERROR_MESSAGES:
            params = refused.get("params")
            if isinstance(params, dict) and all(
                isinstance(one, str | int | float) for one in params.values()
            ):
                with contextlib.suppress(KeyError, ValueError, TypeError):
                    error = AudioError(refused["code"], **params)
                    raise error
    log.warning("%s failed: %s", task.action, answer)
    raise AudioError("undecodable")


shared: Final = Decoder()
"""The one of this process."""
atexit.register(shared.close)
