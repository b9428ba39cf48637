"""Queries that join other tables without their long columns.

A model names its long columns in ``LONG_COLUMNS``. A list that joins such a model would otherwise bring them
with every row: 20 KB of a version's metadata beside each track, for one name that is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models.constants import LOOKUP_SEP

_Row_co = TypeVar("_Row_co", bound=models.Model, covariant=True)


class JoiningQuerySet(models.QuerySet[_Row_co]):
    """A query whose joins leave out the long columns of the joined tables, until they are asked for."""

    def select_related(self, *fields: Any) -> Self:
        joined = super().select_related(*fields)
        if not fields or fields == (None,):
            return joined
        return joined.defer(*long_columns(self.model, fields))

    def with_columns(self, *names: str) -> Self:
        """Load columns that were left out after all, e.g. ``current__timeline``."""
        deferred, are_left_out = self.query.deferred_loading
        found = self._chain()  # type: ignore[attr-defined]  # how every method of a query set begins
        if are_left_out:
            found.query.deferred_loading = (frozenset(deferred) - frozenset(names), True)
        return found  # type: ignore[no-any-return]  # of an untyped method

    def without_long_columns(self) -> Self:
        """Leave out the long columns of the rows themselves too."""
        return self.defer(*getattr(self.model, "LONG_COLUMNS", ()))


def long_columns(model: type[models.Model], paths: Iterable[str]) -> Iterator[str]:
    """Name the long columns of every table along some joins, as ``QuerySet.defer`` takes them."""
    for path in paths:
        place = model
        parts = path.split(LOOKUP_SEP)
        for depth, part in enumerate(parts, start=1):
            related = place._meta.get_field(part).related_model
            assert isinstance(related, type)  # noqa: S101  # select_related has refused all else
            place = related
            prefix = LOOKUP_SEP.join(parts[:depth])
            yield from (f"{prefix}{LOOKUP_SEP}{name}" for name in getattr(place, "LONG_COLUMNS", ()))
