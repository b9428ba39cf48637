"""List the clips of a dataset in any of the supported layouts of folders and tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.models import Clip

Layout = Literal["auto", "logmel", "fma", "folders", "csv"]
LAYOUTS: tuple[Layout, ...] = ("auto", "logmel", "fma", "folders", "csv")
COLUMNS = ("path", "genre", "title", "artist", "part", "repetition_group")

# Names of splits in public datasets.
_PARTS = {
    **dict.fromkeys(("train", "training"), Clip.Part.TRAIN),
    **dict.fromkeys(("valid", "validation", "val"), Clip.Part.VALID),
    "test": Clip.Part.TEST,
}
# Files beside music that are skipped without a warning.
_NOT_MUSIC = {
    *(".txt", ".md", ".csv", ".json", ".xml", ".html", ".pdf", ".nfo", ".log", ".db", ".npz", ".npy", ".mf"),
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".m3u", ".m3u8", ".pls"),
}


class LayoutError(Exception):
    """The folder or table cannot be read as a dataset; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a dataset.

    Attributes
    ----------
    key : str
        Its key in the dataset, the same in every run, by which a second run recognises it.
    path : Path
        Path of its sound, or of the log-mel file.
    row : int or None
        Its row in a log-mel file.
    """

    key: str
    genre: str
    path: Path
    row: int | None = None
    title: str = ""
    artist: str = ""
    part: str = ""
    repetition_group: str = ""


def detect(source: Path) -> Layout:
    """Detect the layout of `source`.

    Raises
    ------
    LayoutError
        If it does not exist.
    """
    if not source.exists():
        raise LayoutError(f"{source} does not exist.")
    if source.is_file():
        return "csv"
    table = source / "tracks.csv"
    if table.exists() and next(source.glob("logmel_*.npz"), None):
        return "logmel"
    if _fma_table(source):
        return "fma"
    return "folders"


def entries(source: Path, layout: Layout = "auto") -> list[Entry]:
    """List the clips of `source`.

    Raises
    ------
    LayoutError
        If there are none, or a table lacks its columns.
    """
    chosen = detect(source) if layout == "auto" else layout
    readers = {"csv": _from_csv, "logmel": _from_logmel, "fma": _from_fma, "folders": _from_folders}
    try:
        found = list(readers[chosen](source))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LayoutError(f"{source} cannot be read: {error}.") from error
    if not found:
        raise LayoutError(
            f"{source} holds no labelled clips. Give a folder with one folder per genre, a CSV table with "
            f"the columns {', '.join(COLUMNS)}, a folder of the Free Music Archive with its tracks.csv, or "
            "a folder with tracks.csv and a log-mel file."
        )
    return found


def _from_csv(table: Path) -> Iterator[Entry]:
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        missing = {"path", "genre"} - set(reader.fieldnames or ())
        if missing:
            raise LayoutError(f"{table} needs a first line with the columns {', '.join(sorted(missing))}.")
        for row in reader:
            place, genre, title, artist, part, group = ((row.get(name) or "").strip() for name in COLUMNS)
            if place and genre:
                yield Entry(
                    key=place,
                    genre=genre,
                    path=table.parent / place,
                    title=title,
                    artist=artist,
                    part=_part(part),
                    repetition_group=group,
                )


def _from_logmel(folder: Path) -> Iterator[Entry]:
    from classifier.core import dataset

    try:
        whole = dataset.load(folder)
    except dataset.DatasetError as error:
        raise LayoutError(str(error)) from error
    titles = {name: row.get("title", "") for name, row in _tracks(folder / "tracks.csv").items()}
    for row, clip in enumerate(whole.clips):
        yield Entry(
            key=clip.name,
            genre=clip.genre,
            path=folder,
            row=row,
            title=titles.get(clip.name) or clip.name,
            artist=clip.artist,
            part=_part(clip.part),
            repetition_group=clip.repetition_group,
        )


def _from_folders(folder: Path) -> Iterator[Entry]:
    """One folder per genre; metadata come from a tracks.csv with a column “name” in it or its parent."""
    known = next(
        (
            _tracks(place / "tracks.csv")
            for place in (folder, folder.parent)
            if (place / "tracks.csv").exists()
        ),
        {},
    )
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if len(place.parts) < 2 or path.name.startswith(".") or path.suffix.lower() in _NOT_MUSIC:
            continue
        if path.is_file():
            row = known.get(path.stem, {})
            yield Entry(
                key=place.as_posix(),
                genre=place.parts[-2],
                path=path,
                title=row.get("title", ""),
                artist=row.get("artist", ""),
                part=_part(row.get("filtered_split", "") or row.get("split", "")),
                repetition_group=row.get("repetition_group", ""),
            )


def _tracks(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as lines:
        return {row["name"]: row for row in csv.DictReader(lines) if row.get("name")}


def _fma_table(folder: Path) -> Path | None:
    """Find the Free Music Archive's tracks.csv, which has two header rows."""
    for place in (folder, folder.parent, folder / "fma_metadata", folder.parent / "fma_metadata"):
        table = place / "tracks.csv"
        if table.is_file():
            with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
                first = next(csv.reader(lines), [])
            if {"track", "set"} <= set(first):
                return table
    return None


def _from_fma(folder: Path) -> Iterator[Entry]:
    """Layout of Defferrard et al., FMA: A Dataset for Music Analysis (ISMIR 2017): 000/000002.mp3."""
    table = _fma_table(folder)
    if table is None:
        raise LayoutError(f"There is no tracks.csv of the Free Music Archive in or beside {folder}.")
    sounds = {path.stem: path for path in sorted(folder.rglob("*.mp3"))}
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.reader(lines)
        columns = {pair: place for place, pair in enumerate(zip(next(rows), next(rows), strict=True))}

        def value(row: list[str], *pair: str) -> str:
            place = columns.get((pair[0], pair[1]))
            return row[place].strip() if place is not None and place < len(row) else ""

        for row in rows:
            sound = sounds.get(row[0].zfill(6)) if row and row[0].isdigit() else None
            genre = value(row, "track", "genre_top")
            if sound and genre:
                yield Entry(
                    key=sound.relative_to(folder).as_posix(),
                    genre=genre,
                    path=sound,
                    title=value(row, "track", "title"),
                    artist=value(row, "artist", "name"),
                    part=_part(value(row, "set", "split")),
                )


def _part(word: str) -> str:
    return str(_PARTS.get(word.lower(), ""))
