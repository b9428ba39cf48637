"""Queries that are written by Django once and then used again with other values.

Writing the SQL of a query with joins takes Django some milliseconds, which is more than PostgreSQL takes to
answer one that an index is for. What the query is stays in one place: its query set.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from django.db import connection, models
from django.db.models import QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

_MOST_KEPT: Final = 500

_Row = TypeVar("_Row", bound=models.Model)
Like = Callable[[], tuple[QuerySet[Any, Any], Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class _Written:
    """The SQL, and for each of its parameters the place of its value, or the constant itself.

    The compiler knows what each column is.
    """

    sql: str
    places: tuple[tuple[int | None, Any], ...]
    compiler: SQLCompiler


class PreparedQueries:
    """Queries by their shape: all that the SQL depends on. May be shared between threads."""

    def __init__(self) -> None:
        self._written: dict[Hashable, _Written] = {}

    def rows(self, shape: Hashable, values: Sequence[Any], *, like: Like) -> list[tuple[Any, ...]]:
        """Give the rows of a query, as the database gives them.

        Parameters
        ----------
        values
            As the database takes them.
        like
            Makes a query set of this shape, and gives the values in it: as many, in the same order, which
            differ from each other and from all constants of the query. Called once per shape.

        Raises
        ------
        ValueError
            If one of those values is not among the parameters of the query.
        """
        return _fetched(self._find(shape, like), values)

    def instances(
        self,
        shape: Hashable,
        values: Sequence[Any],
        *,
        like: Callable[[], tuple[QuerySet[_Row, _Row], Sequence[Any]]],
    ) -> list[_Row]:
        """Give the objects of a query, with those that it joins; the rest is as with `rows`."""
        written = self._find(shape, like)
        compiler = copy(written.compiler)
        # The one of this thread.
        compiler.connection = connection
        fetched = [_fetched(written, values)]
        compiler.execute_sql = lambda **_how: fetched  # type: ignore[assignment,method-assign]  # was asked
        query = SimpleNamespace(get_compiler=lambda using: compiler)
        # As much of a query set as the iterator needs that makes objects of rows.
        asked = SimpleNamespace(query=query, db=connection.alias, _known_related_objects={})
        return list(ModelIterable(asked))  # type: ignore[arg-type]

    def _find(self, shape: Hashable, like: Like) -> _Written:
        written = self._written.get(shape)
        if written is None:
            written = _write(*like())
            if len(self._written) >= _MOST_KEPT:
                self._written.clear()
            self._written[shape] = written
        return written


def _fetched(written: _Written, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    parameters = [constant if place is None else values[place] for place, constant in written.places]
    with connection.cursor() as cursor:
        cursor.execute(written.sql, parameters)
        return list(cursor.fetchall())


def _write(query: QuerySet[Any, Any], stand_ins: Sequence[Any]) -> _Written:
    compiler = query.query.get_compiler(using=query.db)
    sql, parameters = compiler.as_sql()
    found = [
        next((place for place, stand_in in enumerate(stand_ins) if _equal(stand_in, parameter)), None)
        for parameter in parameters
    ]
    missing = set(range(len(stand_ins))).difference(place for place in found if place is not None)
    if missing:
        raise ValueError(f"The query has no parameters for the values {sorted(missing)}.")
    return _Written(sql, tuple(zip(found, parameters, strict=True)), compiler)


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
