"""Import a folder of music into the public catalogue."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files import File

from classifier.models import Genre
from library.errors import TrackError
from library.models import TITLE_LENGTH, Track
from library.services.tracks import (
    clean_name,
    clean_title,
    describe,
    examine,
    genre_for,
    replace_sound,
    store,
    title_from,
)

log = logging.getLogger(__name__)

KEY_LENGTH = 500
COLUMNS = ("path", "title", "artist", "genre", "licence")
# Files beside music in a folder that are skipped without a warning.
_NOT_MUSIC = {
    *(".txt", ".md", ".csv", ".json", ".xml", ".html", ".pdf", ".nfo", ".log", ".sfv", ".cue", ".ini", ".db"),
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".svg", ".m3u", ".m3u8", ".pls"),
}


class CatalogueError(Exception):
    """The folder or table cannot be imported; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of music to import.

    Attributes
    ----------
    path : Path
        Path of the sound.
    key : str
        Its key in the catalogue, the same in every run, by which a second run recognises it.
    """

    path: Path
    key: str
    title: str = ""
    artist: str = ""
    genre: str = ""
    licence: str = ""


@dataclass(slots=True)
class Report:
    """Counts and errors of an import."""

    added: int = 0
    replaced: int = 0
    known: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def entries(source: Path, *, collection: str = "") -> list[Entry]:
    """List what `source` holds: a folder of ``genre/name.ext``, or a CSV table.

    Raises
    ------
    CatalogueError
        If there is nothing to import.
    """
    if not source.exists():
        raise CatalogueError(f"{source} does not exist.")
    name = collection or (source.stem if source.is_file() else source.resolve().name)
    found = list(_from_table(source, name) if source.is_file() else _from_folder(source, name))
    if not found:
        raise CatalogueError(
            f"{source} holds no music. Give a folder of genre folders, or a CSV table with the columns "
            f"{', '.join(COLUMNS)}."
        )
    return found


def _from_folder(folder: Path, collection: str) -> Iterator[Entry]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or path.suffix.lower() in _NOT_MUSIC:
            continue
        place = path.relative_to(folder)
        genre = place.parts[0] if len(place.parts) > 1 else ""
        yield Entry(path=path, key=_key(collection, place.as_posix()), genre=genre)


def _from_table(table: Path, collection: str) -> Iterator[Entry]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            if "path" not in (reader.fieldnames or ()):
                raise CatalogueError(
                    f"{table} needs a first line that names its columns, one of them “path”."
                )
            for row in reader:
                place = (row.get("path") or "").strip()
                if place:
                    yield Entry(
                        path=table.parent / place,
                        key=_key(collection, place),
                        **{name: (row.get(name) or "").strip() for name in COLUMNS[1:]},
                    )
    except (UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{table} is not a CSV table in UTF-8: {error}") from error


def _key(collection: str, place: str) -> str:
    key = f"{collection}/{place}"
    # Keep the end, which differs more between files than the beginning.
    return key[-KEY_LENGTH:]


def import_entries(found: list[Entry], *, on_entry: Callable[[Entry, str], None] | None = None) -> Report:
    """Add every entry that is not yet in the catalogue and queue its analysis.

    Each entry is its own transaction, so that an interrupted import can be continued. Files that cannot be
    read are listed, and the import goes on. A file that changed since the last run replaces the old one.
    """
    report = Report()
    genres: dict[str, Genre | None] = {}
    known = dict(
        Track.objects.filter(catalogue_key__in=[entry.key for entry in found]).values_list(
            "catalogue_key", "size"
        )
    )
    for entry in found:
        if entry.genre not in genres:
            genres[entry.genre] = genre_for(entry.genre) if entry.genre else None
        try:
            outcome = _import_one(entry, genres[entry.genre], known_size=known.get(entry.key))
        except TrackError as error:
            outcome = error.message
            report.refused.append((str(entry.path), error.message))
        except OSError as error:
            outcome = error.strerror or str(error)
            report.refused.append((str(entry.path), outcome))
        else:
            setattr(report, outcome, getattr(report, outcome) + 1)
        if on_entry:
            on_entry(entry, outcome)
    return report


def _import_one(entry: Entry, genre: Genre | None, *, known_size: int | None) -> str:
    if known_size is not None and entry.path.stat().st_size == known_size:
        return "known"
    with entry.path.open("rb") as stream:
        file = File(stream, name=entry.path.name)
        info, sha256 = examine(file)
        track = Track.objects.filter(catalogue_key=entry.key).first()
        if track is not None:
            replace_sound(track=track, file=file, name=entry.path.name, info=info, sha256=sha256)
            return "replaced"
        track = Track(
            visibility=Track.Visibility.CATALOGUE,
            source=Track.Source.CATALOGUE,
            title=clean_title(entry.title) or title_from(entry.path.name),
            artist=clean_title(entry.artist)[:TITLE_LENGTH],
            licence=clean_title(entry.licence)[:TITLE_LENGTH],
            labelled_genre=genre,
            original_name=clean_name(entry.path.name),
            catalogue_key=entry.key,
            sha256=sha256,
            size=file.size,
        )
        describe(track, info)
        store(track, file, entry.path.name, bulk=True)
    return "added"
