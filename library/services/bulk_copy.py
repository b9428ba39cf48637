"""Many rows at once through PostgreSQL's COPY."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from django.db import connection, models
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

_LENGTH_AND_UNUSED: Final = struct.Struct(">hh")


class Copier:
    """Writes rows that differ from a given one in some columns. Nothing is validated, no signal is sent."""

    def __init__(self, like: models.Model, *, without: Iterable[str] = ()) -> None:
        """Take the columns and their values from `like`; those of fields `without` keep their defaults."""
        left_out = set(without)
        fields = [field for field in like._meta.concrete_fields if field.attname not in left_out]
        self._places = {field.attname: place for place, field in enumerate(fields)}
        self._values = [
            _as_text(field.get_db_prep_save(getattr(like, field.attname), connection)) for field in fields
        ]
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
        table = connection.ops.quote_name(like._meta.db_table)
        self._command = f"COPY {table} ({columns}) FROM STDIN"

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, each given by the columns in which it differs, as psycopg takes them."""
        with connection.cursor() as cursor, cursor.copy(self._command) as copy:
            for row in rows:
                values = list(self._values)
                for name, value in row.items():
                    values[self._places[name]] = value
                copy.write_row(values)


def _as_text(value: Any) -> Any:
    """Write JSON once instead of with each row."""
    return json.dumps(value.obj) if isinstance(value, Jsonb) else value


def halfvec_bytes(rows: NDArray[np.float32]) -> list[bytes]:
    """Encode rows (n, size) in pgvector's binary format: number of dimensions, two zero bytes, halves."""
    head = _LENGTH_AND_UNUSED.pack(rows.shape[1], 0)
    return [head + row.tobytes() for row in rows.astype(">f2")]


def keys(model: type[models.Model], count: int) -> list[int]:
    """Take `count` numbers for primary keys from the sequence of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [int(key) for (key,) in cursor.fetchall()]
