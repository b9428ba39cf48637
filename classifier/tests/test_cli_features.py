"""``python -m classifier --features``: the table of summary features."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from classifier.core.audio import decode
from classifier.core.summary import COLUMNS, TOLERANCES, segments, summarise
from classifier.tests import sounds
from classifier.tests.test_cli import GENRES, run

HEADER = ["filename", "length", *COLUMNS, "label"]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "a song.wav"
    path.write_bytes(sounds.encode(sounds.tune(7.0)))
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
def test_a_row_for_each_track(song: Path) -> None:
    finished = run(song, "--features", "track", "--csv")

    assert finished.stdout.splitlines()[0].split(",") == HEADER
    (row,) = rows(finished.stdout)
    with song.open("rb") as file:
        samples = decode(file).samples
    assert row["filename"] == str(song)
    assert int(row["length"]) == samples.size
    assert [float(row[column]) for column in COLUMNS] == pytest.approx(
        summarise(samples).tolist(), rel=1e-4, abs=1e-6
    )
    assert row["label"] in GENRES | {""}
    assert finished.returncode == 0
    # The label is the predicted genre.
    (verdict,) = rows(run(song, "--csv").stdout)
    assert row["label"] == verdict["genre"]


@pytest.mark.slow
def test_json_lines_with_numbers(song: Path) -> None:
    finished = run(song, "--json", "--features")

    (row,) = (json.loads(line) for line in finished.stdout.splitlines())
    assert [*row] == HEADER
    assert all(isinstance(row[column], float) for column in COLUMNS)


@pytest.mark.slow
def test_a_row_for_each_three_seconds_of_a_folder_with_an_unreadable_file(song: Path) -> None:
    (song.parent / "broken.mp3").write_bytes(b"words, not music" * 10)
    (song.parent / "b.wav").write_bytes(sounds.encode(sounds.tune(2.0)))

    finished = run(song.parent, "--features", "segment", "--jobs", "2")

    found = rows(finished.stdout)
    names = [Path(row["filename"]).name for row in found]
    assert names == ["a song.0.wav", "a song.1.wav", "b.0.wav"]
    with song.open("rb") as file:
        pieces = list(segments(decode(file).samples))
    assert [int(row["length"]) for row in found[:2]] == [66150, 66150]
    for row, piece in zip(found[:2], pieces, strict=True):
        assert float(row["rms_mean"]) == pytest.approx(summarise(piece)[COLUMNS.index("rms_mean")], rel=1e-6)
    assert "broken.mp3: This is not an audio file." in finished.stderr
    assert finished.returncode == 1


@pytest.mark.slow
def test_another_scope_is_refused(song: Path) -> None:
    finished = run(song, "--features", "album")

    assert finished.stdout == ""
    assert "invalid choice: 'album'" in finished.stderr
    assert finished.returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(sounds.shared_data() is None, reason="needs the shared music (GENREWEB_SHARED)")
def test_the_table_that_people_know_comes_out() -> None:
    shared = sounds.shared_data()
    assert shared is not None
    with (shared / "features_30_sec.csv").open(newline="") as file:
        known = {Path(row["filename"]).stem: row for row in csv.DictReader(file)}
    clips = [shared / "lossless" / f"{genre}.00000.flac" for genre in ("blues", "rock")]

    found = rows(run(*clips, "--features", "track").stdout)

    assert [Path(row["filename"]).stem for row in found] == ["blues.00000", "rock.00000"]
    for row in found:
        expected = known[Path(row["filename"]).stem]
        assert row["length"] == expected["length"]
        for column, (relative, absolute) in TOLERANCES.items():
            assert float(row[column]) == pytest.approx(float(expected[column]), rel=relative, abs=absolute), (
                column
            )
