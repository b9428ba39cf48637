"""Read CSV tables as people write them: headers in any case, and columns that nobody knows."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

# Python's own limit of 131,072 characters would refuse a whole table for one long text about an artist.
csv.field_size_limit(2**24)

_OTHER_SPELLINGS = {"license": "licence"}


class TableError(Exception):
    """A table cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table.

    Attributes
    ----------
    columns : frozenset of str
        The known columns that it has.
    unknown : list of str
        Its other columns, as they were written, each with the known name that was perhaps meant.
    rows : list of dict
        The cells of the known columns, without surrounding spaces.
    """

    columns: frozenset[str]
    unknown: list[str]
    rows: list[dict[str, str]]


def read(path: Path, *, columns: Collection[str], needed: Collection[str]) -> Table:
    """Read a CSV table in UTF-8, separated by commas, semicolons or tabs.

    Raises
    ------
    TableError
        If it is none, or lacks a column that is needed.
    OSError
        If it cannot be opened.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            first = lines.readline()
            lines.seek(0)
            delimiter = max(",;\t", key=first.count)
            rows = csv.reader(lines, delimiter=delimiter)
            header = next(rows, [])
            places, unknown = _places(header, columns)
            _check(path, header, places, needed)
            found = [
                {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
                for row in rows
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} is not a CSV table in UTF-8: {error}") from error
    return Table(frozenset(places), unknown, found)


def _places(header: list[str], columns: Collection[str]) -> tuple[dict[str, int], list[str]]:
    """Find the known columns; of two with the same name the first one counts."""
    places: dict[str, int] = {}
    unknown = []
    for place, written in enumerate(header):
        name = re.sub(r"[\s_-]+", "_", written.strip().strip("\"'").strip().casefold())
        if name not in columns:
            name = _OTHER_SPELLINGS.get(name, name)
        if name in columns and name not in places:
            places[name] = place
        elif name:
            near = difflib.get_close_matches(name, set(columns) - set(places), n=1)
            unknown.append(f"“{written.strip()}”" + (f" (is it “{near[0]}”?)" if near else ""))
    return places, unknown


def _check(path: Path, header: list[str], places: dict[str, int], needed: Collection[str]) -> None:
    missing = [f"“{name}”" for name in needed if name not in places]
    if missing:
        has = f" It has {', '.join(f'“{name.strip()}”' for name in header)}." if any(header) else ""
        raise TableError(
            f"{path} needs a first line that names its columns, among them {', '.join(missing)}.{has}"
        )
