"""Tracks as a table for people, JSON for programs, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

FORMS = ("table", "json", "csv")
COLUMNS = ("id", "title", "artist", "genre", "confidence", "verdict", "status", "file_name")
_SHOWN = ("title", "artist", "genre", "confidence", "status")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDEST = 40


def write(tracks: Iterable[dict[str, Any]], *, form: str, to: IO[str]) -> None:
    """Write tracks as the API gives them."""
    if form == "json":
        json.dump(list(tracks), to, ensure_ascii=False, indent=2)
        to.write("\n")
        return
    rows = [_row(track) for track in tracks]
    if form == "csv":
        table = csv.writer(to, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([_plain(row[name]) for name in COLUMNS] for row in rows)
        return
    for line in table_lines(_SHOWN, [[row[name] for name in _SHOWN] for row in rows]):
        print(line, file=to)


def _row(track: dict[str, Any]) -> dict[str, str]:
    analysis = track.get("analysis") or {}
    verdict = ""
    if analysis:
        music = "unsure" if analysis["unsure"] else "sure"
        verdict = music if analysis.get("music", True) else "no music"
    failed = (track.get("error") or {}).get("code")
    return {
        "id": track["id"],
        "title": track["title"],
        "artist": track["artist"],
        "genre": (track["genre"] or "") + (" ?" if verdict == "unsure" else ""),
        "confidence": f"{analysis['confidence']:.2f}" if analysis else "",
        "verdict": verdict,
        "status": f"{track['status']}: {failed}" if failed else track["status"],
        "file_name": track.get("file_name") or "",
    }


def table_lines(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns, also where characters are two cells wide."""
    cells = [list(names), *([_short(printable(cell)) for cell in row] for row in rows)]
    widths = [max(_width(row[place]) for row in cells) for place in range(len(names))]
    return [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def printable(text: str) -> str:
    """Take out what would move the cursor or colour a terminal."""
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _short(text: str) -> str:
    while _width(text) > _WIDEST:
        text = text[:-2] + "…"
    return text
