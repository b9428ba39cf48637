"""Import a folder of music into the public catalogue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files import File

from classifier.core.legacy_text import guess_escaped, storable
from classifier.models import Genre
from library import tables
from library.errors import TrackError
from library.folders import find, genre_folders, walk
from library.models import TITLE_LENGTH, Track
from library.services.file_tags import without_file_tags
from library.services.genres import GenreWords
from library.services.importing import Listing, Outcome, Report, digest_of, reason_of, stamp_of
from library.services.tracks import (
    clean_name,
    clean_title,
    describe,
    examine,
    replace_sound,
    store,
    title_from,
)

log = logging.getLogger(__name__)

KEY_LENGTH = 500
COLUMNS = ("path", "title", "artist", "genre", "licence")


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
    title, artist, genre, licence : str or None
        None where the table has no such column.
    in_table : bool
        Whether a table says all this, which then also corrects what an earlier run wrote.
    problem : str
        Why it cannot be imported, or empty.
    """

    path: Path
    key: str
    title: str | None = None
    artist: str | None = None
    genre: str | None = None
    licence: str | None = None
    in_table: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """The file name, for people."""
        return guess_escaped(self.path.name)


def entries(source: Path, *, collection: str = "") -> Listing[Entry]:
    """List what `source` holds: a folder of ``genre/name.ext``, or a CSV table.

    Raises
    ------
    CatalogueError
        If there is nothing to import.
    """
    if not source.exists():
        raise CatalogueError(f"{source} does not exist.")
    name = storable(collection or (source.stem if source.is_file() else source.resolve().name))
    found = _from_table(source, name) if source.is_file() else Listing(list(_from_folder(source, name)))
    if not found.entries:
        raise CatalogueError(
            f"{source} holds no music. Give a folder of genre folders, or a CSV table with the columns "
            f"{', '.join(COLUMNS)}."
        )
    return found


def _from_folder(folder: Path, collection: str) -> Iterator[Entry]:
    paths = list(walk(folder))
    places = [path.relative_to(folder) for path in paths]
    genres = genre_folders(
        [[guess_escaped(part) for part in place.parts[:-1]] for place in places], GenreWords().knows
    )
    for path, place, genre in zip(paths, places, genres, strict=True):
        yield Entry(path=path, key=_key(collection, place.as_posix()), genre=genre or None)


def _from_table(path: Path, collection: str) -> Listing[Entry]:
    try:
        table = tables.read(path, columns=COLUMNS, needed=("path",))
    except tables.TableError as error:
        raise CatalogueError(str(error)) from error
    found = []
    for number, row in enumerate(table.rows, start=2):
        place = row.pop("path")
        if place:
            sound, key = find(path.parent, place), _key(collection, place)
            found.append(Entry(path=sound, key=key, in_table=True, **row))
        elif any(row.values()):
            found.append(Entry(path=path, key="", problem=f"row {number} has no path"))
    return Listing(found, table.unknown)


def _key(collection: str, place: str) -> str:
    key = f"{collection}/{storable(place)}"
    # Keep the end, which differs more between files than the beginning.
    return key[-KEY_LENGTH:]


def import_entries(
    found: Listing[Entry],
    *,
    new_genres: bool = False,
    check: bool = False,
    on_entry: Callable[[Entry, Outcome], None] | None = None,
) -> Report:
    """Bring the catalogue up to date with what was found, and queue the analysis of what is new or changed.

    Each entry is its own transaction, so that an interrupted import can be continued. What cannot be read is
    listed, and the import goes on.

    Parameters
    ----------
    new_genres
        Add the genres that the site does not have, else those files get no genre.
    check
        Compare the content even of files whose size and time are as they were.

    Raises
    ------
    TrackError
        ``storage_full``: what was added stays.
    """
    run = _Import(found.entries, GenreWords(make=new_genres), check=check)
    for entry in found.entries:
        outcome = run.take(entry)
        if on_entry:
            on_entry(entry, outcome)
    return run.report


class _Import:
    """One run of an import."""

    def __init__(self, found: list[Entry], genres: GenreWords, *, check: bool) -> None:
        self.report = Report()
        self._genres = genres
        self._check = check
        self._known = {
            str(track.catalogue_key): track
            for track in Track.objects.filter(catalogue_key__in=[entry.key for entry in found])
        }
        self._taken: set[str] = set()

    def take(self, entry: Entry) -> Outcome:
        if problem := entry.problem or ("is listed twice" if entry.key in self._taken else ""):
            return self.report.refuse(entry.path, problem)
        self._taken.add(entry.key)
        genre = self._genre(entry)
        known = self._known.get(entry.key)
        try:
            return self.report.count(self._update(known, entry, genre) if known else _add(entry, genre))
        except TrackError as error:
            if error.code == "storage_full":
                raise
            return self.report.refuse(entry.path, error.message)
        except (OSError, ValueError) as error:
            return self.report.refuse(entry.path, reason_of(error))

    def _genre(self, entry: Entry) -> Genre | None:
        genre = self._genres(entry.genre) if entry.genre else None
        if entry.genre and genre is None:
            self.report.miss_genre(entry.genre, self._genres.unknown[entry.genre])
        return genre

    def _update(self, track: Track, entry: Entry, genre: Genre | None) -> Outcome:
        replaced = self._update_sound(track, entry)
        corrected = _corrections(track, entry, genre)
        if corrected:
            Track.objects.filter(pk=track.pk).update(**corrected)
        return "changed" if replaced or corrected else "same"

    def _update_sound(self, track: Track, entry: Entry) -> bool:
        """Replace the sound if the file holds another one."""
        stamp = stamp_of(entry.path)
        if stamp == track.file_stamp and not self._check:
            return False
        if entry.path.stat().st_size == track.size and digest_of(entry.path) == track.sha256:
            if stamp != track.file_stamp:
                Track.objects.filter(pk=track.pk).update(file_stamp=stamp)
            return False
        with entry.path.open("rb") as stream:
            file = File(stream, name=entry.name)
            info, sha256 = examine(file)
            replace_sound(
                track=track,
                file=file,
                name=entry.name,
                info=info,
                sha256=sha256,
                file_stamp=stamp,
                **without_file_tags(track),
            )
            track.refresh_from_db()
        return True


def _corrections(track: Track, entry: Entry, genre: Genre | None) -> dict[str, Any]:
    """Say which words of a track differ from those of the entry.

    A folder only gives a genre to a track without one; a table is right in each of its columns.
    """
    wanted: dict[str, Any] = {}
    if genre is not None and (entry.in_table or track.labelled_genre_id is None):
        wanted["labelled_genre_id"] = genre.pk
    if entry.in_table:
        if entry.genre == "":
            wanted["labelled_genre_id"] = None
        said = track.file_tags or {}
        wanted |= {name: word or said.get(name, "") for name, word in _words(entry).items()}
    return {name: value for name, value in wanted.items() if getattr(track, name) != value}


def _words(entry: Entry) -> dict[str, str]:
    """Clean the words of an entry; those that it does not give are left out."""
    words = {"title": entry.title, "artist": entry.artist, "licence": entry.licence}
    cleaned = {name: clean_title(word)[:TITLE_LENGTH] for name, word in words.items() if word is not None}
    if cleaned.get("title") == "":
        del cleaned["title"]
    return cleaned


def _add(entry: Entry, genre: Genre | None) -> Outcome:
    stamp = stamp_of(entry.path)
    with entry.path.open("rb") as stream:
        file = File(stream, name=entry.name)
        info, sha256 = examine(file)
        track = Track(
            visibility=Track.Visibility.CATALOGUE,
            source=Track.Source.CATALOGUE,
            labelled_genre=genre,
            original_name=clean_name(entry.name),
            catalogue_key=entry.key,
            file_stamp=stamp,
            sha256=sha256,
            size=file.size,
            **{"title": title_from(entry.name), **_words(entry)},
        )
        describe(track, info)
        store(track, file, entry.name, bulk=True)
    return "added"
