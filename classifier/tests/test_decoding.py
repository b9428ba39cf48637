"""Decoding in a confined process: the same answers, and one sound's faults stay its own."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil
import pytest

from classifier import decoding
from classifier.core import audio, playback
from classifier.core.audio import AudioError, AudioLimits
from classifier.decoding import Decoder, DecoderLostError
from classifier.tests.id3 import cover, frame, id3v2
from classifier.tests.sounds import encode, tune
from classifier.tests.test_header_duration import claiming
from classifier.tests.test_joined import CHAINS

linux = pytest.mark.skipif(sys.platform != "linux", reason="the system has other means")


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(size=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def song() -> bytes:
    return encode(tune(3.0))


def process_of(decoder: Decoder) -> decoding._Process:
    """The process that answers next."""
    decoder.probe(io.BytesIO(encode(tune(1.5))))
    (process,) = decoder._idle.queue
    return process


def many_chunks(count: int) -> bytes:
    """A WAV file whose head is followed by so many empty chunks."""
    whole = encode(tune(2.0))
    body = whole[8:36] + b"junk\0\0\0\0" * count + whole[36:]
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def test_sides_that_differ_are_decoded(decoder: Decoder) -> None:
    """A stereo sound needs more of NumPy than a mono one, and no module is found any more."""
    sides = np.stack([tune(2.0), tune(2.0)[::-1]])
    content = encode(sides.astype(np.float32), layout="stereo")
    there = decoder.decode(io.BytesIO(content))
    np.testing.assert_array_equal(there.samples, audio.decode(io.BytesIO(content)).samples)


def test_the_answers_are_those_of_this_process(decoder: Decoder, song: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(encode(tune(3.0), "mp3"))
    for content in (song, path.read_bytes()):
        here, there = audio.decode(io.BytesIO(content)), decoder.decode(io.BytesIO(content))
        assert there.info == here.info
        np.testing.assert_array_equal(there.samples, here.samples)
        assert there.samples.dtype == np.float32
        assert there.samples.flags.writeable
        assert decoder.probe(io.BytesIO(content)) == audio.probe(io.BytesIO(content))
        part = decoder.encode_playback(io.BytesIO(content), start=0.5, end=2.0)
        assert part == playback.encode_playback(io.BytesIO(content), start=0.5, end=2.0)
    with path.open("rb") as file:
        file.read(10)
        assert decoder.probe(file) == audio.probe(io.BytesIO(path.read_bytes()))
        # Whoever reads on reads on from where they were.
        assert file.read() == path.read_bytes()[10:]


def inverted(kind: str) -> bytes:
    """A file whose sides cancel."""
    side = tune(3.0, rate=44_100)
    return encode(np.stack((side, -side)), kind, rate=44_100, layout="stereo")


UNUSUAL = {
    "inverted mp3": lambda: inverted("mp3"),
    "inverted wav": lambda: inverted("wav16"),
    "chained": lambda: b"".join(CHAINS["rate and channels"]),
    "four links": lambda: b"".join(CHAINS["four"]),
    "joined mp3": lambda: encode(tune(2.0), "mp3") + encode(tune(3.0), "mp3"),
    "overstated mp3": lambda: claiming("mp3", 2400.0),
    "understated wav": lambda: claiming("wav16", 3.0),
    "cut flac": lambda: encode(tune(5.0), "flac")[:40_000],
    "cut m4a": lambda: encode(tune(5.0), "alac")[:-20_000],
}


def said_of(ask: Callable[[BinaryIO], object], content: bytes) -> object:
    try:
        answer = ask(io.BytesIO(content))
    except AudioError as error:
        return error.code
    return getattr(answer, "info", answer)


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_file_gives_the_same_answers(decoder: Decoder, name: str) -> None:
    content = UNUSUAL[name]()
    for there, here in ((decoder.decode, audio.decode), (decoder.probe, audio.probe)):
        assert said_of(there, content) == said_of(here, content)


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (b"", AudioLimits(), "empty"),
        (b"only words " * 1000, AudioLimits(), "not_audio"),
        (encode(tune(3.0)), AudioLimits(max_duration=1.5), "too_long"),
        (encode(tune(3.0)), AudioLimits(min_duration=4.0), "too_short"),
    ],
)
def test_refusals_arrive_with_their_figures(
    decoder: Decoder, content: bytes, limits: AudioLimits, code: str
) -> None:
    with pytest.raises(AudioError) as here:
        audio.decode(io.BytesIO(content), limits=limits)
    with pytest.raises(AudioError) as there:
        decoder.decode(io.BytesIO(content), limits=limits)
    assert there.value.code == here.value.code == code
    assert there.value.params == here.value.params


@pytest.mark.slow
def test_a_file_that_costs_too_much_is_refused_and_the_next_is_answered(
    decoder: Decoder, song: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "PROBE_SECONDS", 1)
    with pytest.raises(AudioError) as refused:
        decoder.probe(io.BytesIO(many_chunks(3_000_000)))
    assert refused.value.code == "undecodable"
    monkeypatch.undo()
    assert decoder.probe(io.BytesIO(song)).duration == pytest.approx(3.0)


def answer_after(process: decoding._Process, signals: list[signal.Signals]) -> Callable[[float], Any]:
    """Send signals to a stopped process before its answer is waited for."""
    receive = process._receive

    def receiving(deadline: float) -> Any:
        for number in signals:
            os.kill(process._process.pid, number)
        return receive(deadline)

    os.kill(process._process.pid, signal.SIGSTOP)
    return receiving


@pytest.mark.slow
def test_a_crash_fails_one_file(decoder: Decoder, song: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    process = process_of(decoder)
    signals = [signal.SIGSEGV, signal.SIGCONT]
    monkeypatch.setattr(process, "_receive", answer_after(process, signals))
    with pytest.raises(AudioError) as refused:
        decoder.decode(io.BytesIO(song))
    assert refused.value.code == "undecodable"
    assert decoder.decode(io.BytesIO(song)).info.duration == pytest.approx(3.0)


def test_a_process_that_somebody_ends_says_nothing_of_the_file(
    decoder: Decoder, song: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = process_of(decoder)
    monkeypatch.setattr(process, "_receive", answer_after(process, [signal.SIGKILL]))
    with pytest.raises(DecoderLostError):
        decoder.decode(io.BytesIO(song))


def test_what_takes_too_long_is_ended(decoder: Decoder, song: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    process = process_of(decoder)
    os.kill(process._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(decoding, "_WALL_FACTOR", 0.01)
    with pytest.raises(AudioError) as refused:
        decoder.decode(io.BytesIO(song))
    assert refused.value.code == "undecodable"
    assert process._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"result": None},
        {"result": {"sample_rate": 1}},
        {"result": {"info": {"duration": 1.0}}},
        {"refused": {"code": "../../x", "params": {}}},
        {"refused": {"code": "too_long", "params": {"maximum": {"deep": 1}}}},
        {"refused": {"code": "too_long", "params": {}}},
    ],
)
def test_an_answer_that_makes_no_sense_is_not_believed(
    decoder: Decoder, song: bytes, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    process = process_of(decoder)
    receive = process._receive

    def lying(deadline: float) -> Any:
        receive(deadline)
        return said

    monkeypatch.setattr(process, "_receive", lying)
    with pytest.raises(AudioError) as refused:
        decoder.decode(io.BytesIO(song))
    assert refused.value.code == "undecodable"


def test_a_storage_that_fails_is_not_the_sounds_fault(decoder: Decoder) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0, /) -> int:
            return 0

        def read(self, size: int = -1, /) -> bytes:
            raise OSError(errno.EIO, "the storage is away")

    with pytest.raises(OSError, match="the storage is away"):
        decoder.decode(Broken())  # type: ignore[arg-type]  # all that is read of it


@pytest.mark.slow
def test_a_process_ends_when_there_is_nothing_to_do_and_comes_back(song: bytes) -> None:
    decoder = Decoder(size=1, idle_seconds=1.0)
    for _ in range(2):
        process = process_of(decoder)
        assert process._process.wait(60) == 0
    assert decoder.probe(io.BytesIO(song)).duration == pytest.approx(3.0)
    decoder.close()


def test_a_process_that_was_started_beforehand_answers_and_another_takes_its_place(song: bytes) -> None:
    decoder = Decoder(size=2, idle_seconds=0.1)
    decoder.start(idle_seconds=600.0)
    (first,) = decoder._idle.queue
    assert decoder.probe(io.BytesIO(song)).duration == pytest.approx(3.0)
    assert process_of(decoder) is first
    # Beside it another one waits no longer than usual.
    other = decoder._fresh()
    assert other._process.wait(60) == 0
    other.close()
    first._process.kill()
    first._process.wait()
    second = process_of(decoder)
    assert second is decoder._first
    assert second is not first
    decoder.close()
    assert not second.lives


def test_threads_take_turns(decoder: Decoder, song: bytes) -> None:
    durations = []

    def ask() -> None:
        durations.append(decoder.decode(io.BytesIO(song)).info.duration)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert durations == pytest.approx([3.0] * 6)
    assert decoder._idle.qsize() == 1


# --- confinement ----------------------------------------------------------------------------------------
TRIES = """
import json, os, resource, socket, sys
from classifier import confinement
address = ("127.0.0.1", int(sys.argv[2]))
base = confinement.address_space()
granted = confinement.confine(descriptors=int(sys.argv[1]))
confinement.limit_resources(seconds=5, address_space=base + 2**26, file_size=1000)
found = {"granted": granted}
def read(): open("/etc/passwd").read()
def write(): open("/tmp/written-from-inside", "w")
def connect(): socket.create_connection(address, 5)
def fill(): bytearray(2**27)
def grow():
    for _ in range(3): os.write(0, bytes(600))
for name, attempt in dict(read=read, write=write, connect=connect, fill=fill, grow=grow).items():
    try:
        attempt()
        found[name] = "possible"
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""


@linux
@pytest.mark.parametrize("descriptors", [3, 40])
def test_nothing_can_be_opened_reached_or_filled(tmp_path: Path, descriptors: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "output").open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-c", TRIES, str(descriptors), str(listener.getsockname()[1])],
            cwd=Path(decoding.__file__).parents[1],
            stdin=output,
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout)
    granted = found["granted"]
    assert "no_new_privileges" in granted
    assert (found["fill"], found["grow"]) == ("MemoryError", "OSError")
    assert (tmp_path / "output").stat().st_size == 1000
    if descriptors == 3 or "landlock" in granted:
        assert "possible" not in (found["read"], found["write"])
    if descriptors == 3 or {"landlock", "namespaces"} & set(granted):
        assert found["connect"] != "possible"


@linux
def test_the_process_knows_no_secret(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for decoders")
    process = decoding._Process(idle_seconds=60)
    try:
        environ = Path(f"/proc/{process._process.pid}/environ")
        try:
            known = environ.read_bytes()
        except PermissionError:
            # Not even its own user may look.
            return
        assert b"not for decoders" not in known
    finally:
        process.close()


@pytest.mark.slow
def test_a_process_whose_owner_is_gone_ends(song: bytes) -> None:
    code = (
        "import io, sys; from classifier import decoding; decoder = decoding.Decoder()\n"
        "decoder.probe(io.BytesIO(sys.stdin.buffer.read()))\n"
        "print(decoder._idle.queue[0]._process.pid, flush=True)\n"
        "import os; os._exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=song,
        cwd=Path(decoding.__file__).parents[1],
        capture_output=True,
        check=False,
    )
    pid = int(done.stdout)
    end = time.monotonic() + 60
    while _is_decoder(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def _is_decoder(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "classifier.decoder_process" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_tags_and_cover_are_read_in_the_confined_process(decoder: Decoder) -> None:
    song = encode(tune(2.0), "mp3")
    for file_format in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        head = b"\0image/" + file_format.lower().encode() + b"\0\3\0"
        picture = frame("APIC", head + cover(file_format, (900, 600)))
        file = io.BytesIO(id3v2(frame("TIT2", b"\0" + "봄날".encode("cp949")), picture) + song)
        tags = decoder.file_tags(file)
        assert (tags.title, tags.year) == ("봄날", None)
        assert tags.cover is not None, file_format
        assert tags.cover[8:12] == b"WEBP"
    assert decoder.file_tags(io.BytesIO(b"nothing")).title == ""
