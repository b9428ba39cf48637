"""Datasets are read in every layout, and others are refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from training.services.layouts import LayoutError, detect, entries


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    return path


def test_folders_of_genres_with_what_a_table_beside_them_knows(tmp_path: Path) -> None:
    touch(tmp_path / "set/genres/blues/blues.00001.wav")
    touch(tmp_path / "set/genres/blues/cover.jpg")
    touch(tmp_path / "set/genres/rock/unlisted.mp3")
    touch(tmp_path / "set/genres/stray.wav")
    (tmp_path / "set/tracks.csv").write_text(
        "name,artist,title,filtered_split,repetition_group\nblues.00001,Somebody,A Song,valid,r7\n",
        encoding="utf-8",
    )
    found = [e for e in entries(tmp_path / "set/genres").entries if not e.problem]
    assert [(e.key, e.genre, e.artist, e.title, e.part, e.repetition_group) for e in found] == [
        ("blues/blues.00001.wav", "blues", "Somebody", "A Song", "valid", "r7"),
        ("rock/unlisted.mp3", "rock", None, None, None, None),
    ]


def test_a_table_names_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "path,genre,artist,part\na.wav,blues,X,Training\n,blues,no path,\nb.wav,,no genre,\n",
        encoding="utf-8",
    )
    only, no_path, no_genre = entries(tmp_path / "list.csv").entries
    assert (no_path.problem, no_genre.problem) == ("row 3 has no path", "row 4 has no genre")
    assert (only.path, only.genre, only.artist, only.part) == (tmp_path / "a.wav", "blues", "X", "train")


def test_the_free_music_archive(tmp_path: Path) -> None:
    touch(tmp_path / "fma_small/000/000002.mp3")
    touch(tmp_path / "fma_small/001/001005.mp3")
    (tmp_path / "fma_metadata").mkdir()
    with (tmp_path / "fma_metadata/tracks.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(
            [
                ["", "artist", "set", "track", "track"],
                ["", "name", "split", "genre_top", "title"],
                ["track_id", "", "", "", ""],
                ["2", "AWOL", "training", "Hip-Hop", "Food"],
                ["1005", "Nobody", "test", "", "Without a genre"],
                ["77", "Gone", "test", "Rock", "Not in this folder"],
            ]
        )
    assert detect(tmp_path / "fma_small") == "fma"
    (only,) = entries(tmp_path / "fma_small").entries
    assert (only.key, only.genre, only.artist, only.title, only.part) == (
        *("000/000002.mp3", "Hip-Hop", "AWOL", "Food", "train"),
    )


def test_gtzan_as_published_with_the_lists_of_its_filtered_partition(tmp_path: Path) -> None:
    for name in ("blues.00000", "blues.00001", "rock.00007", "rock.00099"):
        touch(tmp_path / "genres" / name.partition(".")[0] / f"{name}.wav")
    touch(tmp_path / "genres/rock/blues.00002.wav")
    with pytest.raises(LayoutError, match="no train_filtered"):
        entries(tmp_path / "genres", "gtzan")
    for part, lines in (
        ("train", "blues/blues.00000.wav\n\n"),
        ("valid", "blues/blues.00001.wav\r\n"),
        ("test", "rock/rock.00007.wav\nblues/blues.00002.wav"),
    ):
        assert detect(tmp_path / "genres") == "folders"
        (tmp_path / f"{part}_filtered.txt").write_text(lines)
    assert detect(tmp_path / "genres") == "gtzan"
    found = {entry.key: entry for entry in entries(tmp_path / "genres").entries}
    assert {key: (entry.genre, entry.part, entry.problem) for key, entry in found.items()} == {
        "blues/blues.00000.wav": ("blues", "train", ""),
        "blues/blues.00001.wav": ("blues", "valid", ""),
        "rock/rock.00007.wav": ("rock", "test", ""),
        "rock/rock.00099.wav": ("rock", None, "is in none of the filtered lists"),
        "rock/blues.00002.wav": ("blues", "test", "lies in another folder than that of its genre"),
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "does not exist"),
        (lambda folder: folder, "holds no labelled clips"),
        (lambda folder: _written(folder / "x.csv", b"path,name\n"), "among them “genre”"),
        (lambda folder: _written(folder / "x.csv", b"\xff\xfe\x00"), "not a CSV table in UTF-8"),
        (lambda folder: _written(folder / "x.csv", b""), "among them “path”, “genre”"),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path: Path, make: object, said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        entries(make(tmp_path))  # type: ignore[operator]


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
