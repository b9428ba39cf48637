"""The script that draws a collection's genres: what it counts in a table of a site, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY
from genreweb.table_stream import csv_lines
from library import exports

SCRIPT = REPOSITORY / "clients/draw_genres.py"


def table(path: Path, *tracks: dict[str, str | int | float | bool]) -> Path:
    columns = exports.columns(["blues"])
    rows = [[track.get(name, "") for name in columns] for track in tracks]
    path.write_text("".join(csv_lines(columns, rows, for_spreadsheets=True)), encoding="utf-8")
    return path


@pytest.mark.slow
def test_genres_are_counted_and_drawn(tmp_path: Path) -> None:
    # With pandas and Matplotlib, for which only these tests should wait.
    from clients import draw_genres

    place = table(
        tmp_path / "tracks.csv",
        {"id": "1", "genre": "jazz", "unsure": False, "confidence": 0.9, "year": 1959},
        {"id": "2", "genre": "jazz", "unsure": True, "confidence": 0.3, "year": 1961},
        {"id": "3", "genre": "blues", "unsure": False, "confidence": 0.9, "year": 1952},
        {"id": "4", "unsure": True},
    )
    tracks = draw_genres.read(place)
    counted = draw_genres.counts(tracks)
    assert counted.to_dict("index") == {
        "jazz": {"sure": 1, "unsure": 1},
        "blues": {"sure": 1, "unsure": 0},
        "none": {"sure": 0, "unsure": 1},
    }
    assert draw_genres.by_decade(tracks).to_dict("index") == {
        1950: {"blues": 0.5, "jazz": 0.5},
        1960: {"blues": 0.0, "jazz": 1.0},
    }
    picture = tmp_path / "genres.png"
    done = subprocess.run(
        [sys.executable, SCRIPT, place, picture], capture_output=True, text=True, check=False
    )
    assert (done.returncode, picture.read_bytes()[:8]) == (0, b"\x89PNG\r\n\x1a\n"), done.stderr


@pytest.mark.slow
def test_other_tables_are_refused(tmp_path: Path) -> None:
    from clients import draw_genres

    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name in ("other.csv", "nothing.csv"):
        words = [sys.executable, *map(str, (SCRIPT, tmp_path / name, tmp_path / "out.png"))]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert not (tmp_path / "out.png").exists()
    no_years = draw_genres.read(table(tmp_path / "t.csv", {"id": "1", "genre": "pop", "unsure": False}))
    draw_genres.draw(no_years, tmp_path / "one.svg")
    assert "<svg" in (tmp_path / "one.svg").read_text()
