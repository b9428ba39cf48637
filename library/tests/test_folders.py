"""Folders are walked as people keep them: links, loops, pipes, and genres at any depth."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from library.folders import find, genre_folders, walk


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    return path


def walked(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in walk(folder)]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere/rock/far.mp3")
    top = tmp_path / "top"
    touch(top / "blues/near.mp3")
    (top / "linked").symlink_to(tmp_path / "elsewhere")
    (top / "linked again").symlink_to(tmp_path / "elsewhere")
    (top / "a link that sorts first").symlink_to(top / "blues")
    assert walked(top) == ["blues/near.mp3", "linked/rock/far.mp3"]


def test_loops_end(tmp_path: Path) -> None:
    top = tmp_path / "top"
    touch(top / "blues/song.mp3")
    touch(tmp_path / "other/song.mp3")
    (top / "blues/self").symlink_to(top / "blues")
    (top / "up").symlink_to(tmp_path)
    (top / "root").symlink_to("/")
    (top / "other").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(top)
    assert walked(top) == ["blues/song.mp3", "other/song.mp3"]


def test_what_is_no_music_is_left_and_what_is_broken_is_named(tmp_path: Path) -> None:
    for name in ("song.mp3", "cover.jpg", ".hidden.mp3", ".trash/old.mp3"):
        touch(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere.mp3")
    assert walked(tmp_path) == ["gone.mp3", "song.mp3"]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (["rock/CD1", "rock/CD2", "blues"], ["rock", "rock", "blues"]),
        (["rock/blues covers", "jazz/rock"], ["rock", "jazz"]),
        (["genres/rock/CD1", "genres/polka", ""], ["rock", "polka", ""]),
        (["polka/CD1", "Artist/Album"], ["polka", "Artist"]),
        (["genres/rock", "loose"], ["rock", "loose"]),
    ],
)
def test_the_outermost_known_genre_counts(places: list[str], expected: list[str]) -> None:
    known = {"rock", "blues", "jazz"}
    assert (
        genre_folders([place.split("/") if place else [] for place in places], known.__contains__) == expected
    )


def test_a_name_in_a_table_is_found_in_another_spelling(tmp_path: Path) -> None:
    decomposed = touch(tmp_path / "Cafe\u0301.mp3")
    korean = touch(tmp_path / os.fsdecode("봄날.mp3".encode("cp949")))
    inside = touch(tmp_path / "rock/song.mp3")
    assert find(tmp_path, "Caf\u00e9.mp3") == decomposed
    assert find(tmp_path, "봄날.mp3") == korean
    assert find(tmp_path, "rock\\song.mp3") == inside
    assert find(tmp_path, "missing.mp3") == tmp_path / "missing.mp3"
    assert find(tmp_path, "nul\0.mp3") == tmp_path / "nul\0.mp3"
