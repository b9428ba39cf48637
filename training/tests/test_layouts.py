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
    only, without = entries(tmp_path / "fma_small").entries
    assert (only.key, only.genre, only.artist, only.title, only.part, only.problem) == (
        *("000/000002.mp3", "Hip-Hop", "AWOL", "Food", "train", ""),
    )
    assert (without.key, without.problem) == ("001/001005.mp3", "has no genre_top in tracks.csv")


_FMA_HEAD = ",track,artist,track,set\n,title,name,genre_top,split\ntrack_id,,,,\n"


def test_broken_rows_of_the_free_music_archive_are_told(tmp_path: Path) -> None:
    for number in range(2, 7):
        touch(tmp_path / f"000/{number:06}.mp3")
    biography = "long " * 40_000
    (tmp_path / "tracks.csv").write_text(
        _FMA_HEAD
        + f"2,{biography},A,Rock,training\n3,Short\nfour,Odd,C,Rock,test\n"
        + '5,Good,D,Jazz,test\n6,"Open,E,Pop,test\n'
    )
    found = {entry.key: (entry.genre, entry.problem) for entry in entries(tmp_path).entries}
    assert found == {
        "000/000002.mp3": ("Rock", ""),
        "000/000003.mp3": ("", "has no genre_top in tracks.csv"),
        "000/000004.mp3": ("", "has no row in tracks.csv"),
        "000/000005.mp3": ("Jazz", ""),
        # The quote is never closed: all that follows is its title.
        "000/000006.mp3": ("", "has no genre_top in tracks.csv"),
    }


@pytest.mark.parametrize(
    "head", [",track,set\n", ",track,set,extra\n,title,split\n", ",track,set\n,title,split\n1,2,3\n"]
)
def test_a_free_music_archive_without_its_head_is_refused(tmp_path: Path, head: str) -> None:
    touch(tmp_path / "000/000002.mp3")
    (tmp_path / "tracks.csv").write_text(head)
    with pytest.raises(LayoutError, match="no column “genre_top” below “track”"):
        entries(tmp_path)


def test_an_unpacked_export_is_read_by_its_table(tmp_path: Path) -> None:
    touch(tmp_path / "jazz/a.wav")
    (tmp_path / "clips.csv").write_text("id,path,genre,artist,part\n1,jazz/a.wav,jazz,artist 1,test\n")
    assert detect(tmp_path) == "csv"
    (only,) = entries(tmp_path).entries
    assert (only.path, only.artist, only.part) == (tmp_path / "jazz/a.wav", "artist 1", "test")
    # Somebody's own table of that name is none.
    (tmp_path / "clips.csv").write_text("file,mood\n1,2\n")
    assert detect(tmp_path) == "folders"
    (only,) = entries(tmp_path).entries
    assert (only.genre, only.artist) == ("jazz", None)


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
