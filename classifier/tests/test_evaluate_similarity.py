"""`manage.py evaluate_similarity` and what the page *How good is it?* shows of it."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from classifier.core import tagger as taggers
from classifier.core.lenses import LENSES
from classifier.fitting.evaluation import thumbs
from classifier.releases import similarity as figures
from library.services import similar
from library.tests.sounds import encoded
from training.services.releases import sync_release


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of six clips, of which three are in the train part."""
    rows = []
    for number in range(6):
        name, genre = f"jazz.0000{number}", "jazz" if number < 4 else "pop"
        path = tmp_path / "audio" / genre / f"{name}.opus"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded("ogg", "libopus", seconds=4 + number, rate=48_000))
        part = "train" if number < 3 else "valid"
        rows.append(
            {
                "name": name,
                "genre": genre,
                "artist": f"a{number % 3}",
                "key": "C major",
                "filtered_split": part,
                "audio": "full",
            }
        )
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return tmp_path


@pytest.mark.slow
def test_what_is_measured_is_printed_and_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taggers, "installed", lambda: None)
    out, told = tmp_path / "similarity.json", StringIO()
    call_command("evaluate_similarity", data=folder, out=out, altered=2, stdout=told)
    content = json.loads(out.read_text())
    assert (content["clips"], content["held_out"], content["artists"]) == (6, 3, 3)
    assert list(content["lenses"]) == ["descriptor", "harmony", "harmony_any_key", "timbre"]
    harmony = content["lenses"]["harmony"]
    assert 0 < harmony["other_half"]["mrr"] <= 1
    assert harmony["precision"]["low"] <= harmony["precision"]["value"] <= harmony["precision"]["high"]
    any_key = content["lenses"]["harmony_any_key"]
    assert any_key["transposed"]["mrr"] == pytest.approx(any_key["other_half"]["mrr"])
    assert content["altered"] == {}
    assert content["key"]["n"] == 6
    assert content["thumbs"] is None
    assert "harmony_any_key" in told.getvalue()
    assert "without the pre-trained tagger" in told.getvalue()


@pytest.mark.slow
def test_thumbs_gain_where_another_lens_tells_what_is_liked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbs, "PEOPLE", 3)
    rng = np.random.default_rng(2)
    genres = np.repeat(["a", "b", "c"], 30)
    vectors = {lens: rng.normal(size=(90, 20)) for lens in LENSES}
    # The blend hears a little of it, timbre all of it.
    centres = rng.normal(size=(3, 20))[np.repeat([0, 1, 2], 30)]
    vectors["blend"] += 0.3 * centres
    vectors["timbre"] += 3 * centres
    unit = {lens: rows / np.linalg.norm(rows, axis=1, keepdims=True) for lens, rows in vectors.items()}
    artists = [n // 5 for n in range(90)]
    found = thumbs.gains(unit, list(genres), artists)
    shares = [found["genre"][str(n)]["precision"]["value"] for n in (0, 3, 100)]
    assert 0.3 < shares[0] < 0.8
    assert shares[0] <= shares[1] <= shares[2]
    assert found["genre"]["100"]["gain"] == pytest.approx(shares[2] - shares[0])
    assert shares[2] > shares[0] + 0.1
    assert found["genre"]["0"]["gain"] == found["artist"]["0"]["gain"] == 0
    assert thumbs.REACH == similar.REACH


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="table of clips"):
        call_command("evaluate_similarity", data=tmp_path, out=tmp_path / "s.json", stdout=StringIO())
    assert not (tmp_path / "s.json").exists()


def test_figures_of_other_lenses_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "similarity.json"
    assert figures.read(path) is None
    content = {"format_version": figures.FORMAT_VERSION, "lens_version": "of another kind"}
    path.write_text(json.dumps(content))
    assert figures.read(path) is None


@pytest.mark.django_db
def test_the_page_shows_every_lens_and_its_goals(client: Client) -> None:
    sync_release()
    content = figures.read()
    assert content is not None, "figures of the current lenses lie beside the releases"
    page = client.get(reverse("classifier:quality")).content.decode()
    section = page[page.index('id="similarity-title"') :]
    assert content["thumbs"]
    assert "After 30 simulated ones" in section
    for name in ("Everything", "Harmony in any key", "Timbre", "Mood"):
        assert name in section
    precision = content["lenses"]["blend"]["precision_held_out"]["value"]
    assert f"{100 * precision:.0f}\u202f%" in section.replace("&#8239;", "\u202f")
