"""The robustness of a release on degraded samples: from files to figures to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.fitting.data.sound_channels import SOUND_CHANNELS
from classifier.fitting.evaluation import real_channels
from classifier.models import ModelVersion
from classifier.quality import robustness
from classifier.quality.robustness import robustness_of
from classifier.releases.real_channels import JSON_FILE
from classifier.tests import sounds
from classifier.tests.datasets import write_dataset
from classifier.tests.shipped import network_alone
from classifier.tests.stored import put_file
from training.services.releases import sync_release

GENRES = ("blues", "classical", "jazz")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two test clips and a train clip of three genres; all but the test clips of jazz have sound."""
    rows = [
        (f"{genre}.{i}", genre, f"{genre} artist {i}", "", "train" if i == 2 else "test")
        for genre in GENRES
        for i in range(3)
    ]
    folder = write_dataset(tmp_path / "data", rows, np.zeros((len(rows), 128, 40), np.uint8))
    for place, (name, genre, _, _, part) in enumerate(rows):
        if genre != "jazz" or part == "train":
            sound = folder / "audio" / genre / f"{name}.opus"
            sound.parent.mkdir(parents=True, exist_ok=True)
            sound.write_bytes(sounds.encode(sounds.tune(6.0, seed=place), "opus"))
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return network_alone(tmp_path / "release")


def run(data: Path, release: Path, *words: str) -> dict[str, Any]:
    call_command("evaluate_channels", "--data", str(data), "--out", str(release), *words)
    content: dict[str, Any] = json.loads((release / JSON_FILE).read_text())
    return content


@pytest.mark.slow
def test_every_clip_with_sound_is_predicted_clean_and_degraded(
    data: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = run(data, release)
    on_test, everything = content["test"], content["all"]
    assert on_test["genres"] == {"blues": 2, "classical": 2, "jazz": 0}
    assert everything["genres"] == {"blues": 3, "classical": 3, "jazz": 1}
    for figures, clips in ((on_test, 4), (everything, 7)):
        assert figures["clips"] == clips
        assert list(figures["channels"]) == list(SOUND_CHANNELS)
        assert figures["clean"]["agreement"] == 1
        shares = [row["agreement"] for row in figures["channels"].values()]
        agreement = figures["agreement"]
        assert agreement["value"] == pytest.approx(np.mean(shares))
        assert agreement["low"] <= agreement["value"] <= agreement["high"]
    printed = capsys.readouterr().out
    assert "Of 4 clips of the test part in 10 channels" in printed
    assert "Of 7 clips of all parts in 10 channels" in printed
    # Fewer clips where fewer are asked for, of each genre alike, and the same once more.
    fewer = run(data, release, "--clips", "3")["all"]
    assert fewer["genres"] == {"blues": 1, "classical": 1, "jazz": 1}
    assert run(data, release, "--clips", "3")["all"] == fewer


@pytest.mark.slow
def test_the_prediction_through_a_channel_is_that_of_its_output(
    data: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silence(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.zeros_like(samples)

    monkeypatch.setattr(
        real_channels, "SOUND_CHANNELS", {"nothing": silence, "all": lambda samples, rng: samples}
    )
    content = run(data, release)["test"]
    assert content["channels"]["all"] == content["clean"]
    # In silence there is no music, so no verdict is confident.
    assert content["channels"]["nothing"]["confident"] == 0
    assert content["channels"]["nothing"]["confident_accuracy"] is None
    assert content["channels"]["nothing"]["agreement_or_unsure"] == 1


@pytest.mark.slow
def test_data_without_sound_or_with_a_strange_genre_are_refused(data: Path, release: Path) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        run(data, release, "--clips", "0")
    for sound in (data / "audio").glob("*/*.[01].opus"):
        sound.rename(sound.with_suffix(".elsewhere"))
    with pytest.raises(CommandError, match="No clip of the test part has sound"):
        run(data, release)
    text = (data / "tracks.csv").read_text()
    (data / "tracks.csv").write_text(text.replace(",jazz,", ",polka,"))
    with np.load(data / "logmel_999.npz") as archive:
        kept = dict(archive)
    kept["genre"] = np.array([genre.replace("jazz", "polka") for genre in kept["genre"].tolist()])
    np.savez(data / "logmel_999.npz", **kept)
    with pytest.raises(CommandError, match="does not know polka"):
        run(data, release)
    assert not (release / JSON_FILE).exists()


@pytest.fixture
def version(settings: Settings, db: None) -> ModelVersion:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    version = sync_release()
    put_file(version, "note.txt", "")
    return version


def write(version: ModelVersion, agreement: float, on_test: float = 0.7, **more: Any) -> None:
    row = {
        "accuracy": 0.512,
        "agreement": agreement,
        "agreement_or_unsure": 0.93,
        "confident": 0.4,
        "confident_accuracy": None,
    }

    def figures(clips: int, agreement: float) -> dict[str, Any]:
        return {
            "clips": clips,
            "clean": {**row, "agreement": 1.0},
            "channels": {"room": row, "one of another program": row},
            "agreement": {"value": agreement, "low": agreement - 0.05, "high": agreement + 0.05},
        }

    content = {
        "format_version": 2,
        "sha256": version.sha256,
        "seconds": 15,
        "test": figures(80, on_test),
        "all": figures(300, agreement),
        **more,
    }
    put_file(version, JSON_FILE, json.dumps(content))


def page_of(client: Client) -> str:
    return client.get(reverse("classifier:quality")).content.decode()


@pytest.mark.parametrize(("agreement", "reached"), [(0.79, False), (0.8, True)])
def test_the_page_says_what_came_of_it(
    client: Client, version: ModelVersion, agreement: float, reached: bool
) -> None:
    write(version, agreement)
    shown = robustness_of(version)
    assert shown is not None
    assert [row.title for row in shown.rows] == ["As it is", "An echoing room"]
    assert [goal.reached for goal in shown.goals] == [reached, False]
    page = page_of(client)
    assert "80 test clips, 15 seconds of each" in page
    assert f"{100 * agreement - 5:.1f} to {100 * agreement + 5:.1f}" in page
    section = page[page.index('id="robustness-title"') :].split("</section>")[0]
    assert section.count("51&#8239;%") == 2
    assert "70.0\u202f% of 80 clips in 2 channels, 95 % interval 65.0 to 75.0" in section
    assert (section.count(">Reached<"), section.count(">Missed<")) == ((1, 1) if reached else (0, 2))


def test_figures_of_another_network_are_not_shown(client: Client, version: ModelVersion) -> None:
    assert robustness_of(version) is None
    assert "robustness-title" not in page_of(client)
    write(version, 0.9, sha256="0" * 64)
    assert robustness_of(version) is None
    write(version, 0.9, format_version=1)
    assert robustness_of(version) is None
    for broken in ({"seconds": "15"}, {"test": None}, {"all": {"clips": 3}}):
        write(version, 0.9, **broken)
        assert robustness_of(version) is None
    write(version, 0.9)
    assert robustness_of(version) is not None


def test_every_channel_has_a_name_that_people_read() -> None:
    assert set(robustness.CHANNELS) == {"clean", *SOUND_CHANNELS}
