"""``python -m classifier`` in several processes: order, progress, and every way to end early."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from classifier.tests import processes, sounds
from classifier.tests.test_cli import ROOT, run

# Each test runs the program.
pytestmark = pytest.mark.slow

FILES = 100


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    path.write_bytes(sounds.encode(sounds.tune(3.0)))
    return path


@pytest.fixture
def busy(song: Path) -> Iterator[subprocess.Popen[str]]:
    """The program while it predicts many files in two processes, after its first result."""
    process = subprocess.Popen(
        [sys.executable, "-m", "classifier", *[str(song)] * FILES, "--json", "--jobs", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        json.loads(first_line(process))
        yield process
        process.kill()


def first_line(process: subprocess.Popen[str]) -> bytes:
    """Read byte by byte: what a buffered reader took along would be missing from what `communicate` gives."""
    assert process.stdout is not None
    taken = bytearray()
    while (byte := os.read(process.stdout.fileno(), 1)) not in (b"\n", b""):
        taken += byte
    return bytes(taken)


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return processes.children("spawn_main", of=process.pid)


def test_many_files_come_in_the_order_given(song: Path) -> None:
    longer = song.with_name("longer.wav")
    longer.write_bytes(sounds.encode(sounds.tune(20.0)))
    missing = song.with_name("missing.wav")
    given = [longer, song, missing, song, longer, song, song]

    several, alone = run(*given, "--json", "--jobs", "3"), run(*given, "--json", "--jobs", "1")

    names = [json.loads(line)["file"] for line in several.stdout.splitlines()]
    assert names == [str(path) for path in given if path != missing]
    assert several.stdout == alone.stdout
    for finished in (several, alone):
        assert f"{missing}: No such file or directory" in finished.stderr
        assert finished.returncode == 1


def test_an_interrupt_from_the_terminal_ends_all_processes(busy: subprocess.Popen[str]) -> None:
    heard_by = workers(busy)
    assert len(heard_by) == 2

    for process in (*heard_by, psutil.Process(busy.pid)):  # as Ctrl-C reaches the whole group
        process.send_signal(signal.SIGINT)
    _, errors = busy.communicate(timeout=30)

    assert busy.returncode == 130
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(heard_by, timeout=10)
    assert not alive


def test_a_killed_program_leaves_no_processes(busy: subprocess.Popen[str]) -> None:
    heard_by = workers(busy)

    busy.kill()

    _, alive = psutil.wait_procs(heard_by, timeout=30)
    assert not alive


def test_a_process_that_dies_loses_no_file(busy: subprocess.Popen[str]) -> None:
    workers(busy)[0].kill()

    answers, errors = busy.communicate(timeout=120)

    assert len(answers.splitlines()) == FILES - 1
    assert "Traceback" not in errors
    assert busy.returncode == 0


def test_a_reader_that_has_seen_enough(busy: subprocess.Popen[str]) -> None:
    heard_by = workers(busy)
    assert busy.stdout is not None
    assert busy.stderr is not None

    busy.stdout.close()

    assert busy.wait(timeout=30) == 0
    assert "Error" not in busy.stderr.read()
    _, alive = psutil.wait_procs(heard_by, timeout=10)
    assert not alive


def test_a_terminal_shows_how_far_it_is(song: Path) -> None:
    mine, theirs = pty.openpty()
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "classifier", str(song), str(song), "--json", "--jobs", "1"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            check=False,
            timeout=120,
        )
        shown = os.read(mine, 65536).decode()
    finally:
        os.close(mine)
        os.close(theirs)

    assert "0 of 2" in shown
    assert "1 of 2, 0:0" in shown
    assert shown.endswith("\r\x1b[K")
    assert len(finished.stdout.splitlines()) == 2


def test_no_progress_where_nobody_watches(song: Path) -> None:
    finished = run(song, song, "--json")

    assert " of 2" not in finished.stderr


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_no_processes_are_refused(song: Path, jobs: str) -> None:
    finished = run(song, "--jobs", jobs)

    assert finished.stdout == ""
    assert "--jobs" in finished.stderr
    assert finished.returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as a name")
def test_a_name_that_is_no_text(song: Path) -> None:
    path = os.fsencode(song.parent) + b"/caf\xe9.wav"
    song.rename(os.fsdecode(path))

    finished = run(song.parent, "--json")

    assert os.fsencode(json.loads(finished.stdout)["file"]) == path
    assert finished.returncode == 0
