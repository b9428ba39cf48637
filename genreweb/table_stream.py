"""Tables as CSV and lists as JSON, written piece by piece, so that their length does not matter."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

Cell = str | int | float | bool | None

CSV_TYPE = "text/csv; charset=utf-8"
JSON_TYPE = "application/json"
BYTE_ORDER_MARK = "\ufeff"
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection), full width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def plain_cell(cell: Cell) -> str | int | float:
    """Write a cell so that no spreadsheet runs it: text like a formula gets an apostrophe before it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, str):
        # PostgreSQL holds none, but what is exported need not come from it.
        text = cell.replace("\0", "")
        return f"'{text}" if text.startswith(_FORMULA) else text
    return cell


class _Line:
    """What `csv.writer` writes into: gives each row back as it was written."""

    def write(self, text: str) -> str:
        return text


def csv_lines(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, for_spreadsheets: bool = False
) -> Iterator[str]:
    """Yield a table line by line.

    Parameters
    ----------
    for_spreadsheets
        Begin with a byte order mark, without which Excel takes UTF-8 for a legacy encoding.
    """
    table = csv.writer(_Line())
    head = str(table.writerow([plain_cell(name) for name in columns]))
    yield f"{BYTE_ORDER_MARK}{head}" if for_spreadsheets else head
    for row in rows:
        yield str(table.writerow([plain_cell(cell) for cell in row]))


def json_pieces(items: Iterable[Any]) -> Iterator[str]:
    """Yield a JSON array item by item, each on a line of its own."""
    yield "["
    for place, item in enumerate(items):
        text = json.dumps(item, cls=DjangoJSONEncoder, ensure_ascii=False)
        yield f"{',' if place else ''}\n{text}"
    yield "\n]\n"


def download(pieces: Iterable[str], *, content_type: str, name: str) -> StreamingHttpResponse:
    """Answer with a file that is written while it is sent, kept by no cache."""
    response = StreamingHttpResponse((piece.encode() for piece in pieces), content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response
