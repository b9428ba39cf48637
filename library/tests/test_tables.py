"""Tables are read as people write them, and what is not read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from library.tables import TableError, read

COLUMNS = ("path", "title", "artist", "genre", "licence", "repetition_group")


def table(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "path,title,repetition_group",
        "\ufeffPath , TITLE,Repetition Group",
        '" path ","Title"," repetition-group"',
        "PATH;Title;Repetition_Group",
        "Path\tTitle\tREPETITION GROUP",
    ],
)
def test_headers_may_have_spaces_and_capitals(tmp_path: Path, header: str) -> None:
    separator = next(mark for mark in ("\t", ";", ",") if mark in header)
    found = read(
        table(tmp_path, f"{header}\n{separator.join((' a.mp3 ', 'A', '7'))}\n"),
        columns=COLUMNS,
        needed=("path",),
    )
    assert found.rows == [{"path": "a.mp3", "title": "A", "repetition_group": "7"}]
    assert found.columns == {"path", "title", "repetition_group"}
    assert found.unknown == []


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    found = read(
        table(tmp_path, "path,Genere,License,mood,title,TITLE\na,rock,CC0,sad,A,B\n"),
        columns=COLUMNS,
        needed=("path",),
    )
    assert found.unknown == ["“Genere” (is it “genre”?)", "“mood”", "“TITLE”"]
    assert found.rows == [{"path": "a", "licence": "CC0", "title": "A"}]


def test_short_and_long_rows_are_read(tmp_path: Path) -> None:
    found = read(table(tmp_path, "path,title\na\nb,B,more\n"), columns=COLUMNS, needed=("path",))
    assert found.rows == [{"path": "a", "title": ""}, {"path": "b", "title": "B"}]


@pytest.mark.parametrize("text", ["", "file,genre\na,b\n", "\n"])
def test_a_needed_column_that_is_missing_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match="“path”"):
        read(table(tmp_path, text), columns=COLUMNS, needed=("path",))
