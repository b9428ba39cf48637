"""List the clips of a dataset in any of the supported layouts of folders and tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from classifier.core.legacy_text import guess_escaped, storable
from library import tables
from library.folders import find, genre_folders, walk
from library.services.importing import Listing
from training.models import Clip

Layout = Literal["auto", "logmel", "fma", "gtzan", "folders", "csv"]
LAYOUTS: tuple[Layout, ...] = ("auto", "logmel", "fma", "gtzan", "folders", "csv")
_EXPORTED_TABLE = "clips.csv"
COLUMNS = ("path", "genre", "title", "artist", "part", "repetition_group")

# Names of splits in public datasets.
_PARTS = {
    **dict.fromkeys(("train", "training"), Clip.Part.TRAIN),
    **dict.fromkeys(("valid", "validation", "val"), Clip.Part.VALID),
    "test": Clip.Part.TEST,
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
    title, artist, part, repetition_group : str or None
        None where nothing says so, as in a table without that column.
    problem : str
        Why it cannot be imported, or empty.
    """

    key: str
    genre: str
    path: Path
    row: int | None = None
    title: str | None = None
    artist: str | None = None
    part: str | None = None
    repetition_group: str | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """The file name, for people."""
        return guess_escaped(self.path.name)


def detect(source: Path) -> Layout:
    """Detect the layout of `source`.

    Raises
    ------
    LayoutError
        If it does not exist.
    """
    if not source.exists():
        raise LayoutError(f"{source} does not exist.")
    if source.is_file() or _is_export(source):
        return "csv"
    table = source / "tracks.csv"
    if table.exists() and next(source.glob("logmel_*.npz"), None):
        return "logmel"
    if _fma_table(source):
        return "fma"
    return "gtzan" if _filtered_lists(source) else "folders"


def entries(
    source: Path, layout: Layout = "auto", *, is_genre: Callable[[str], bool] = lambda word: False
) -> Listing[Entry]:
    """List the clips of `source`.

    Parameters
    ----------
    is_genre
        Whether a word is a genre of this site, to tell which of several folders names the genre.

    Raises
    ------
    LayoutError
        If there are none, or a table lacks its columns.
    """
    chosen = detect(source) if layout == "auto" else layout
    try:
        if chosen == "csv":
            found = _from_csv(source)
        elif chosen == "folders":
            found = _from_folders(source, is_genre)
        elif chosen == "gtzan":
            found = Listing(list(_from_gtzan(source)))
        else:
            found = Listing(list(_from_logmel(source) if chosen == "logmel" else _from_fma(source)))
    except tables.TableError as error:
        raise LayoutError(str(error)) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LayoutError(f"{source} cannot be read: {error}.") from error
    if all(entry.problem for entry in found.entries):
        raise LayoutError(
            f"{source} holds no labelled clips. Give a folder with one folder per genre, a CSV table with "
            f"the columns {', '.join(COLUMNS)}, a folder of the Free Music Archive with its tracks.csv, "
            "GTZAN with the lists of its filtered partition, or a folder with tracks.csv and a log-mel file."
        )
    return found


def _is_export(folder: Path) -> bool:
    """Say whether a folder is an unpacked archive of a site's approved clips.

    It has a folder per genre as well, but these alone would lose artists and parts, and clips of the test
    part would be learnt.
    """
    try:
        tables.read(folder / _EXPORTED_TABLE, columns=COLUMNS, needed=("path", "genre", "part"))
    except (tables.TableError, OSError):
        return False
    return True


def _from_csv(source: Path) -> Listing[Entry]:
    path = source / _EXPORTED_TABLE if source.is_dir() else source
    table = tables.read(path, columns=COLUMNS, needed=("path", "genre"))
    found = []
    for number, row in enumerate(table.rows, start=2):
        place, genre = row.pop("path"), row.pop("genre")
        if not any((place, genre, *row.values())):
            continue
        missing = "" if place and genre else f"row {number} has no {'genre' if place else 'path'}"
        split = row.get("part")
        found.append(
            Entry(
                key=storable(place),
                genre=genre,
                path=find(path.parent, place) if place else path,
                title=row.get("title"),
                artist=row.get("artist"),
                part=None if split is None else _part(split),
                repetition_group=row.get("repetition_group"),
                problem=missing,
            )
        )
    return Listing(found, table.unknown)


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


def _from_folders(folder: Path, is_genre: Callable[[str], bool]) -> Listing[Entry]:
    """One folder per genre; metadata come from a tracks.csv with a column “name” in it or its parent."""
    known = next(
        (
            _tracks(place / "tracks.csv")
            for place in (folder, folder.parent)
            if (place / "tracks.csv").exists()
        ),
        {},
    )
    paths = list(walk(folder))
    places = [path.relative_to(folder) for path in paths]
    genres = genre_folders([[guess_escaped(part) for part in place.parts[:-1]] for place in places], is_genre)
    found = []
    for path, place, genre in zip(paths, places, genres, strict=True):
        row = known.get(path.stem, {})
        split = row.get("filtered_split") or row.get("split")
        found.append(
            Entry(
                key=storable(place.as_posix()),
                genre=genre,
                path=path,
                title=row.get("title"),
                artist=row.get("artist"),
                part=None if split is None else _part(split),
                repetition_group=row.get("repetition_group"),
                problem="" if genre else "lies in no genre's folder",
            )
        )
    return Listing(found)


def _filtered_lists(folder: Path) -> dict[Path, Clip.Part]:
    """Find the lists of the filtered partition in or beside a folder: ``train_filtered.txt`` and so on."""
    for place in (folder, folder.parent):
        names = {"train": Clip.Part.TRAIN, "valid": Clip.Part.VALID, "test": Clip.Part.TEST}
        lists = {place / f"{name}_filtered.txt": part for name, part in names.items()}
        if all(path.is_file() for path in lists):
            return lists
    return {}


def _from_gtzan(folder: Path) -> Iterator[Entry]:
    """GTZAN as published, genres/blues/blues.00000.wav, as Kereliuk, Sturm and Larsen (2015) divide it.

    Their lists leave out clips that repeat or are distorted; so do we.
    """
    lists = _filtered_lists(folder)
    if not lists:
        raise LayoutError(
            "There are no train_filtered.txt, valid_filtered.txt and test_filtered.txt in or beside "
            f"{folder}. Without them, give --layout folders."
        )
    parts = {
        Path(line.strip()).stem: part
        for path, part in lists.items()
        for line in path.read_text(encoding="utf-8-sig").splitlines()
        if line.strip()
    }
    for path in walk(folder):
        place = path.relative_to(folder)
        part = parts.get(path.stem)
        genre = path.stem.partition(".")[0]
        problem = "" if part else "is in none of the filtered lists"
        if path.parent.name != genre:
            problem = "lies in another folder than that of its genre"
        yield Entry(storable(place.as_posix()), genre, path, part=part and str(part), problem=problem)


def _tracks(table: Path) -> dict[str, dict[str, str]]:
    columns = ("name", "title", "artist", "split", "filtered_split", "repetition_group")
    rows = tables.read(table, columns=columns, needed=()).rows
    return {row["name"]: row for row in rows if row.get("name")}


def _fma_table(folder: Path) -> Path | None:
    """Find the Free Music Archive's tracks.csv, which has three header rows."""
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
    sounds = {path.stem: path for path in walk(folder) if path.suffix.lower() == ".mp3"}
    described = set()
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.reader(lines)
        columns = _fma_columns(table, next(rows, []), next(rows, []))

        def value(row: list[str], *pair: str) -> str:
            place = columns.get((pair[0], pair[1]))
            return row[place].strip() if place is not None and place < len(row) else ""

        for row in rows:
            sound = sounds.get(row[0].zfill(6)) if row and row[0].isdigit() else None
            if sound is None or sound in described:
                continue
            described.add(sound)
            genre = value(row, "track", "genre_top")
            yield Entry(
                key=sound.relative_to(folder).as_posix(),
                genre=genre,
                path=sound,
                title=value(row, "track", "title"),
                artist=value(row, "artist", "name"),
                part=_part(value(row, "set", "split")),
                problem="" if genre else f"has no genre_top in {table.name}",
            )
    # A quote that is never closed swallows the rows behind it.
    for sound in sounds.values():
        if sound not in described:
            key = sound.relative_to(folder).as_posix()
            yield Entry(key, "", sound, problem=f"has no row in {table.name}")


def _fma_columns(table: Path, groups: list[str], names: list[str]) -> dict[tuple[str, str], int]:
    columns = {pair: place for place, pair in enumerate(zip(groups, names, strict=False))}
    if ("track", "genre_top") not in columns:
        raise LayoutError(f"{table} has no column “genre_top” below “track” in its first two lines.")
    return columns


def _part(word: str) -> str:
    return str(_PARTS.get(word.lower(), ""))
