"""The benchmarks run, and write what they print."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.benchmarks import sounds
from classifier.core.audio import probe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_measured_file_is_what_it_is_said_to_be() -> None:
    info = probe(io.BytesIO(sounds.mp3(30.0)))

    assert (info.codec, info.sample_rate, info.channels) == ("mp3", 44100, 2)
    assert info.duration == pytest.approx(30.0, abs=0.1)


@pytest.mark.slow
def test_variants_differ() -> None:
    assert len(set(sounds.variants(3, seconds=2.0))) == 3


@pytest.mark.slow
def test_music_is_synthesised_where_none_is_at_hand(tmp_path: Path) -> None:
    program = "import sys; from classifier.benchmarks import sounds; print(len(sounds.mp3(3.0)))"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "GENREWEB_SHARED": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(finished.stdout) == pytest.approx(3 * 24000, rel=0.1)


@pytest.mark.slow
def test_rows_are_written(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "bench.json"
    options = ["--core-only", "--rounds", "1", "--longest", "1", "--json", str(target)]
    finished = subprocess.run(
        [sys.executable, "-m", "classifier.benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = json.loads(target.read_text())
    assert {frozenset(row) for row in rows} == {
        frozenset({"name", "unit", "median", "p95", "ratio", "machine"})
    }
    for row in rows:
        assert row["name"] in finished.stdout
        assert 0 < row["median"] <= row["p95"]
        assert row["ratio"] is None
    assert {row["unit"] for row in rows} == {"ms", "s", "MiB"}
