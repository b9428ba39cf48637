"""``python -m classifier``: the core alone."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.core.tags import GROUPS
from classifier.tests import sounds

ROOT = Path(__file__).resolve().parents[2]
GENRES = {"blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program with nothing of the platform configured."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "DATABASE_", "REDIS_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "classifier", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two songs, one of them in a subfolder, a broken one and a text."""
    (tmp_path / "b.wav").write_bytes(sounds.encode(sounds.tune(3.0)))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a 음악.mp3").write_bytes(sounds.encode(sounds.tune(12.0), "mp3"))
    (tmp_path / "broken.mp3").write_bytes(b"words, not music" * 10)
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


@pytest.mark.slow
def test_json_lines_for_a_folder_and_its_unreadable_files(folder: Path) -> None:
    finished = run(folder, "--json")

    answers = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [Path(answer["file"]).name for answer in answers] == ["b.wav", "a 음악.mp3"]
    for answer, duration in zip(answers, (3.0, 12.0), strict=True):
        assert set(answer["probabilities"]) == GENRES
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
        assert answer["duration"] == pytest.approx(duration, abs=0.06)
        assert {"style", "reason"} <= answer.keys()
        assert set(answer["tags"]) == (set(GROUPS) if answer["music"] else set())
        assert answer["timeline"][0]["start"] == 0
        assert answer["timeline"][-1]["end"] == pytest.approx(answer["duration"], abs=0.01)
    assert "broken.mp3: This is not an audio file." in finished.stderr
    assert "notes.txt" not in finished.stderr
    assert finished.returncode == 1


@pytest.mark.slow
def test_csv_has_one_row_per_file(folder: Path) -> None:
    finished = run(folder / "b.wav", "--csv")

    (row,) = csv.DictReader(io.StringIO(finished.stdout))
    assert Path(row["file"]).name == "b.wav"
    assert sum(float(row[genre]) for genre in GENRES) == pytest.approx(1.0, abs=1e-4)
    assert row["unsure"] in {"true", "false"}
    assert finished.returncode == 0


@pytest.mark.slow
def test_text_names_file_length_and_every_genre(folder: Path) -> None:
    finished = run(folder / "sub" / "a 음악.mp3")

    assert "a 음악.mp3  (0:12)" in finished.stdout
    for genre in GENRES:
        assert f"  {genre} " in finished.stdout
    assert finished.returncode == 0


@pytest.mark.slow
def test_a_file_that_was_cut_off_is_named_as_such(tmp_path: Path) -> None:
    song = sounds.encode(sounds.tune(12.5), "wav16")
    (tmp_path / "cut.wav").write_bytes(song[: len(song) * 6 // 10])

    assert "only the first 0:07 of 0:12 could be read" in run(tmp_path / "cut.wav").stdout
    answer = json.loads(run(tmp_path / "cut.wav", "--json").stdout)
    assert answer["duration"] == pytest.approx(7.5, abs=0.01)
    assert (answer["expected_duration"], answer["damaged"]) == (12.5, False)


@pytest.mark.slow
def test_a_missing_file_is_named_and_the_rest_goes_on(folder: Path) -> None:
    finished = run(folder / "missing.mp3", folder / "b.wav", "--json")

    assert len(finished.stdout.splitlines()) == 1
    assert "missing.mp3: No such file or directory" in finished.stderr
    assert finished.returncode == 1


@pytest.mark.slow
def test_too_long_a_file(folder: Path) -> None:
    finished = run(folder / "sub" / "a 음악.mp3", "--max-minutes", "0.1", "--json")

    assert finished.stdout == ""
    assert "too long" in finished.stderr
    assert finished.returncode == 1


@pytest.mark.slow
def test_a_folder_that_holds_no_release(folder: Path) -> None:
    finished = run(folder / "b.wav", "--release", folder)

    assert finished.stdout == ""
    assert finished.stderr.startswith("python -m classifier: ")
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 2


@pytest.mark.slow
def test_an_interrupt_ends_it_without_a_traceback(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "classifier", *[str(folder / "sub" / "a 음악.mp3")] * 500, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["file"].endswith(".mp3")
    process.send_signal(signal.SIGINT)

    _, errors = process.communicate(timeout=30)

    assert "Traceback" not in errors
    assert process.returncode == 130
