"""The process in which sounds of strangers are decoded: it can read the one file it is given, and write one.

It answers requests one after the other over a socket. A request is JSON with two descriptors, the sound and
the output; an answer is JSON. `classifier.decoding` is the other side.
"""

from __future__ import annotations

import base64
import dataclasses
import errno
import io
import json
import os
import select
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.fft  # NumPy imports it on first use, which is too late once the process is confined.

from classifier import confinement
from classifier.core.audio import SAMPLE_RATE, AudioError, AudioLimits, decode, encode_playback, probe
from classifier.core.encoding import TARGETS, copy_from, encode_copy
from classifier.core.file_tags import load_picture_codecs, read_file_tags

LENGTH_BYTES: Final = 4
MOST_MESSAGE_BYTES: Final = 2**16
READY: Final = "ready"
MOST_REQUESTS: Final = 500
"""After so many a fresh process takes over, whatever libraries may have leaked."""
# A file in each direction beside the socket and the standard streams.
_DESCRIPTORS: Final = 5
_MEMORY_BYTES: Final = 256 * 2**20
_SAMPLE_BYTES: Final = 4
_HEAD_BYTES: Final = 4096
"""More than a header of MP3 has; what follows it is the same."""


class _Input(io.RawIOBase):
    """A file by its descriptor, whose position the other process keeps for itself."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._size = os.fstat(descriptor).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("before the start of the file")
        self._position = start + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        wanted = max(0, self._size - self._position) if size < 0 else size
        found = os.pread(self._descriptor, wanted, self._position)
        self._position += len(found)
        return found


def _probe(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    return dataclasses.asdict(probe(file, limits=limits))


def _decode(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    audio = decode(file, limits=limits, loudness=request["loudness"])
    _write(output, memoryview(np.ascontiguousarray(audio.samples, "<f4").view(np.uint8).data))
    fields = dataclasses.asdict(dataclasses.replace(audio, samples=np.zeros(0, np.float32)))
    del fields["samples"]
    return fields


def _encode(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    end = request["end"]
    encoded = encode_playback(
        file, limits=limits, start=request["start"], end=float("inf") if end is None else end
    )
    _write(output, memoryview(encoded))
    return {}


def _encode_copy(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    """Write the sound as it is encoded, for the other side to read along; what changes is in the answer."""

    def write(part: bytes) -> None:
        _write(output, memoryview(part))

    target = TARGETS[request["target"]]
    encoded = encode_copy(file, target, bit_rate=request["bit_rate"], limits=limits, sink=write)
    return {"head": base64.b64encode(encoded[:_HEAD_BYTES] if target.header_is_last else b"").decode()}


def _copy_from(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    _write(output, memoryview(copy_from(file, TARGETS[request["target"]], start=request["start"])))
    return {}


def _file_tags(file: BinaryIO, output: int, limits: AudioLimits, request: dict[str, Any]) -> Any:
    tags = read_file_tags(file)
    _write(output, memoryview(tags.cover or b""))
    words = dataclasses.asdict(tags)
    del words["cover"]
    return words


def _write(output: int, content: memoryview) -> None:
    while content:
        content = content[os.write(output, content) :]


_ACTIONS: dict[str, Callable[[BinaryIO, int, AudioLimits, dict[str, Any]], Any]] = {
    "probe": _probe,
    "decode": _decode,
    "encode_playback": _encode,
    "encode_copy": _encode_copy,
    "copy_from": _copy_from,
    "file_tags": _file_tags,
}


def _answer(request: dict[str, Any], sound: int, output: int, address_space: int) -> dict[str, Any]:
    limits = AudioLimits(**request["limits"])
    size = int(limits.max_duration + 2) * SAMPLE_RATE * _SAMPLE_BYTES + 2**20
    confinement.limit_resources(
        seconds=request["seconds"],
        # The array of samples doubles when a sound is longer than its header says.
        address_space=address_space + _MEMORY_BYTES + 3 * size,
        file_size=size,
    )
    try:
        file = cast(BinaryIO, _Input(sound))
        return {"result": _ACTIONS[request["action"]](file, output, limits, request)}
    except AudioError as error:
        return {"refused": {"code": error.code, "params": error.params}}
    except OSError as error:
        if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT):
            return {"unreadable": error.errno}
        return {"failed": repr(error)}
    except Exception as error:  # noqa: BLE001  whatever it is, it is said of this one file
        return {"failed": repr(error)}


def serve(channel: socket.socket, *, idle_seconds: float, address_space: int) -> None:
    """Answer until there is no more, or nothing is asked for `idle_seconds`."""
    for _ in range(MOST_REQUESTS):
        if not select.select([channel], [], [], idle_seconds)[0]:
            return
        content, descriptors, _flags, _address = socket.recv_fds(channel, MOST_MESSAGE_BYTES, 2)
        if not content:
            return
        length = int.from_bytes(content[:LENGTH_BYTES], "little")
        while len(content) < LENGTH_BYTES + length:
            part = channel.recv(MOST_MESSAGE_BYTES)
            if not part:
                return
            content += part
        sound, output = descriptors
        try:
            answer = _answer(json.loads(content[LENGTH_BYTES:]), sound, output, address_space)
        finally:
            os.close(sound)
            os.close(output)
        _send(channel, answer)


def _send(channel: socket.socket, answer: object) -> None:
    content = json.dumps(answer).encode()
    channel.sendall(len(content).to_bytes(LENGTH_BYTES, "little") + content)


def _import_everything() -> None:
    """Do all that may be asked once: modules imported on first use cannot be found later."""
    sound, inverted = (io.BytesIO(_tone(inverted=inverted)) for inverted in (False, True))
    limits = AudioLimits(min_duration=0.01)
    encoded = encode_playback(sound, limits=limits)
    for content in (sound, inverted, io.BytesIO(encoded)):
        probe(content, limits=limits)
        decode(content, limits=limits, loudness=True)
        read_file_tags(content)
    for target in TARGETS.values():
        copy = encode_copy(sound, target, bit_rate=target.default, limits=limits)
        copy_from(io.BytesIO(copy), target, start=0.05)
    load_picture_codecs()
    for broken in (b"", b"RIFF", encoded[:50]):
        try:
            decode(io.BytesIO(broken), limits=limits)
        except AudioError as error:
            json.dumps({"code": error.code, "params": error.params})
    repr(OSError(errno.EIO, os.strerror(errno.EIO)))
    # Showing a warning reads the source.
    warnings.simplefilter("ignore")


def _tone(*, inverted: bool) -> bytes:
    """A tenth of a second as a WAV file, of a rate that is resampled; with a second, inverted side if so."""
    rate, channels = 44_100, 2 if inverted else 1
    wave = np.where(np.arange(4_410) // 50 % 2, 8_000, -8_000)
    sides = np.stack([wave, -wave][:channels], axis=1).astype("<i2")
    samples, width = sides.tobytes(), 2 * channels
    form = (1, 2), (channels, 2), (rate, 4), (width * rate, 4), (width, 2), (16, 2)
    head = b"WAVEfmt " + (16).to_bytes(4, "little") + b"".join(n.to_bytes(size, "little") for n, size in form)
    body = head + b"data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def main() -> None:
    """Serve the process that started this one, whose end ends this one as well."""
    # Ctrl-C is meant for the other side, which closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=0)
    _import_everything()
    address_space = confinement.address_space()
    granted = confinement.confine(descriptors=_DESCRIPTORS)
    _send(channel, {READY: granted})
    serve(channel, idle_seconds=float(sys.argv[1]), address_space=address_space)


if __name__ == "__main__":
    main()
