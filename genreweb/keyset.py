"""Going on in an ordered list after one of its rows, without counting off those before it.

A page by number makes the database read all rows before that page. Asking for what comes after a row lets an
index of the order begin there.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Expression, OrderBy

_Row = TypeVar("_Row", bound=models.Model)
_KEY = "_key{}"


def following(rows: models.QuerySet[_Row], key: object) -> models.QuerySet[_Row] | None:
    """Give the rows of an ordered query that come after the one with the primary key `key`.

    The order must end with the primary key. None where the query has no such row.
    """
    orders = [_order(order) for order in rows.query.order_by]
    expressions = {_KEY.format(number): order.expression for number, order in enumerate(orders)}
    rows = rows.alias(**expressions)
    try:
        found = rows.order_by().filter(pk=key).values_list(*(F(name) for name in expressions)).first()
    except (ValidationError, ValueError):
        return None
    if found is None:
        return None
    return rows.filter(_after(orders, found))


def _order(order: Any) -> OrderBy:
    if isinstance(order, OrderBy):
        return order
    if isinstance(order, str):
        plain = order.removeprefix("-")
        return OrderBy(F(plain), descending=order.startswith("-"))
    if isinstance(order, Expression | F):
        return OrderBy(order)
    raise TypeError(f"{order!r} is no order that can be continued")


def _after(orders: list[OrderBy], values: tuple[Any, ...]) -> Q:
    """Condition that a row comes after these values: beyond in one of them, equal in those before."""
    beyond = Q(pk__in=[])
    equal = Q()
    for number, (order, value) in enumerate(zip(orders, values, strict=True)):
        name = _KEY.format(number)
        beyond |= equal & _beyond(order, name, value)
        equal &= Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
    first, value = orders[0], values[0]
    if value is not None and not _nulls_last(first):
        # Said once more so that an index can begin there.
        bound = "lte" if first.descending else "gte"
        return Q(**{f"{_KEY.format(0)}__{bound}": value}) & beyond
    return beyond


def _beyond(order: OrderBy, name: str, value: Any) -> Q:
    nulls_last = _nulls_last(order)
    if value is None:
        return Q(pk__in=[]) if nulls_last else Q(**{f"{name}__isnull": False})
    found = Q(**{f"{name}__{'lt' if order.descending else 'gt'}": value})
    return found | Q(**{f"{name}__isnull": True}) if nulls_last else found


def _nulls_last(order: OrderBy) -> bool:
    """Whether rows without a value come last; PostgreSQL takes nothing for larger than everything."""
    return bool(order.nulls_last) or not (order.descending or order.nulls_first)
