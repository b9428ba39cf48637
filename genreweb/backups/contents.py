"""Which files of the storage belong to rows, and what rows a site has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import FileField, Model

_more: list[Callable[[], Iterable[str]]] = []


def register(names: Callable[[], Iterable[str]]) -> None:
    """Have the files that `names` gives backed up too: those that rows name outside of FileFields."""
    if names not in _more:
        _more.append(names)


def stored_files() -> Iterator[str]:
    """Name the files of all rows; one may come twice. What can be made again (`IN_BACKUPS`) is left out."""
    for model in _models_with_files():
        if not getattr(model, "IN_BACKUPS", True):
            continue
        for field in _file_fields(model):
            rows = model._default_manager.exclude(**{f"{field.name}": ""}).order_by()
            yield from rows.values_list(field.name, flat=True).iterator(chunk_size=5000)
    for names in _more:
        yield from names()


def counts() -> dict[str, int]:
    """Count the rows that people made, by what they are called; tables that are not there are empty."""
    found = {}
    with connection.cursor() as cursor:
        existing = set(connection.introspection.table_names(cursor))
        for model in (get_user_model(), *_models_with_files()):
            number = 0
            if model._meta.db_table in existing:
                # Not through the model: the table may be that of another release.
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
                number = int(cursor.fetchone()[0])
            found[model._meta.model_name or ""] = number
    return found


def _models_with_files() -> list[type[Model]]:
    return [model for model in apps.get_models() if _file_fields(model)]


def _file_fields(model: type[Model]) -> list[FileField]:
    return [field for field in model._meta.concrete_fields if isinstance(field, FileField)]
