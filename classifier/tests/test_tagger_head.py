"""Fitting the head on the tagger's features, and reading the sound it is fitted on."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from classifier import testset
from classifier.core import tagger
from classifier.core.dataset import DatasetError
from classifier.core.inference import Classifier
from classifier.core.tagger import Tagger, TaggerError
from classifier.core.verdict import HEAD_FILE, HEAD_REPLAY_FILE, TaggerHead
from classifier.fitting.head_replay import read_head_replay
from classifier.fitting.music_detection import DetectorRecipe
from classifier.fitting.recording_head import RecordingRecipe
from classifier.fitting.release.ensemble import add_ensemble
from classifier.fitting.tagger_head import HeadExamples, HeadRecipe, fit_head, read_examples, write_head
from classifier.releases import current_release, read_metadata

LABELS = ("blues", "disco", "metal")


def examples(counts: tuple[int, ...], *, seed: int = 0) -> HeadExamples:
    """Rows that lie around one place for each label, in units that differ by a factor of a thousand."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    rows = np.eye(len(LABELS))[targets] + rng.normal(0, 0.2, (len(targets), len(LABELS)))
    return HeadExamples(
        (rows * [1, 1000, 0.1] + 5).astype(np.float32), targets, np.ones(len(targets)), LABELS
    )


def right(head: TaggerHead, asked: HeadExamples) -> float:
    given = [head.probabilities(row) for row in asked.rows]
    best = [max(p, key=lambda label: p[label]) for p in given]
    return float(np.mean([LABELS[y] == label for label, y in zip(best, asked.targets, strict=True)]))


def test_a_head_tells_genres_apart_whatever_their_units_and_numbers() -> None:
    head = fit_head(examples((90, 12, 12)), tagger="v")

    assert head.labels == LABELS
    assert right(head, examples((30, 30, 30), seed=1)) > 0.9


def test_a_genre_without_examples_is_left_out() -> None:
    head = fit_head(examples((20, 0, 20)), tagger="v")

    assert head.labels == ("blues", "metal")
    asked = examples((9, 0, 9), seed=1)
    assert right(head, asked) == 1.0
    assert sum(head.probabilities(asked.rows[0]).values()) == pytest.approx(1)


def test_one_genre_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two genres"):
        fit_head(examples((20,)), tagger="v")


def test_what_counts_nothing_changes_nothing() -> None:
    honest = examples((20, 20, 20))
    rows = np.concatenate([honest.rows, honest.rows])
    wrong = np.concatenate([honest.targets, (honest.targets + 1) % 3])
    shares = np.repeat([1.0, 0.0], 60)
    misled = HeadExamples(rows, wrong, shares, LABELS)

    assert right(fit_head(misled, tagger="v"), examples((9, 9, 9), seed=1)) == 1.0


def test_a_stored_head_answers_as_it_did_and_says_what_made_it(tmp_path: Path) -> None:
    head = fit_head(examples((20, 20, 20)), tagger="abc")
    entry = write_head(head, tmp_path, trained_on=dict.fromkeys(LABELS, 20), recipe=HeadRecipe())

    content = (tmp_path / HEAD_FILE).read_bytes()
    again = TaggerHead.from_bytes(content)

    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["trained_on"] == {"blues": 20, "disco": 20, "metal": 20}
    assert again.tagger == entry["tagger"] == "abc"
    row = examples((1, 1, 1)).rows[2]
    assert again.probabilities(row) == head.probabilities(row)
    assert [path.name for path in tmp_path.iterdir()] == [HEAD_FILE]


def write_data(folder: Path) -> Path:
    """Clips of two genres, whole ones and excerpts, some of the test part."""
    rows = [
        ("blues.00000", "train", "audio"),
        ("blues.00001", "valid", "audio_short"),
        ("blues.00002", "test", "audio"),
        ("metal.00000", "train", "audio_short"),
        ("metal.00001", "", "audio"),
        ("blues.00000", "train", "audio_short"),
    ]
    rng = np.random.default_rng(0)
    for name, _, kind in rows:
        genre = name.partition(".")[0]
        time = np.arange(22_050 * 2) / 22_050
        sound = np.sin(2 * np.pi * 220 * time) if genre == "blues" else rng.normal(0, 1, time.size)
        path = folder / kind / genre / f"{name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.2 * sound, 22_050)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "genre", "filtered_split"])
        table.writerows(sorted({(name, name.partition(".")[0], part) for name, part, _ in rows}))
    return folder


def test_clips_of_the_train_and_validation_parts_are_read(tmp_path: Path) -> None:
    try:
        installed = Tagger.load(tagger.default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")
    told: list[tuple[int, int]] = []

    read = read_examples(
        write_data(tmp_path), installed, LABELS, on_clip=lambda done, total: told.append((done, total))
    )

    assert sorted(zip(read.targets.tolist(), read.shares.tolist(), strict=True)) == [
        (0, 0.7),
        (0, 1.0),
        (2, 0.7),
    ]
    assert told == [(1, 3), (2, 3), (3, 3)]
    head = fit_head(read, tagger=installed.version)
    assert head.labels == ("blues", "metal")
    assert head.probabilities(read.rows[0])["blues"] > 0.5


@pytest.mark.slow
def test_a_release_keeps_the_examples_of_its_head(tmp_path: Path) -> None:
    try:
        installed = Tagger.load(tagger.default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")
    release = tmp_path / "release"
    shutil.copytree(current_release(), release)

    add_ensemble(
        release,
        data=write_data(tmp_path / "data"),
        tagger=installed,
        detector=DetectorRecipe(voices=3, crowds=2, synthetic=5, tunes=4),
        recordings=RecordingRecipe(rounds=1, voices=2),
    )

    entry = read_metadata(release)["ensemble"]
    stored = read_head_replay(release, entry)
    assert stored is not None
    assert sorted(stored.names) == ["blues.00000", "blues.00001", "metal.00000"]
    assert {stored.labels[target] for target in stored.targets} == {"blues", "metal"}
    assert (release / "training" / HEAD_REPLAY_FILE).exists()
    assert not (release / HEAD_REPLAY_FILE).exists()
    assert Classifier.load(release, tagger=installed).uses_tagger


@pytest.mark.slow
def test_the_shipped_examples_are_of_the_train_and_validation_parts() -> None:
    release = current_release()
    entry = read_metadata(release)["ensemble"]

    stored = read_head_replay(release, entry)

    assert stored is not None
    assert set(stored.names) <= set(testset.fitted().names)
    assert not set(stored.names) & set(testset.shipped().names)
    head = fit_head(stored, tagger=entry["tagger"])
    shipped = Classifier.load(release).ensemble
    assert shipped is not None
    assert shipped.head is not None
    # At half precision they give the head that ships.
    for row in stored.rows[::50]:
        assert head.probabilities(row) == pytest.approx(shipped.head.probabilities(row), abs=0.01)
    assert (release / "training" / HEAD_REPLAY_FILE).stat().st_size < 1_500_000


def test_a_folder_without_sound_or_table_is_said(tmp_path: Path) -> None:
    nobody = Tagger({}, {}, "v")
    with pytest.raises(DatasetError, match="table"):
        read_examples(tmp_path, nobody, LABELS)
    (tmp_path / "tracks.csv").write_text("name,genre,filtered_split\nblues.00000,blues,train\n")
    with pytest.raises(DatasetError, match="no sound"):
        read_examples(tmp_path, nobody, LABELS)
