"""The indexes that take long to build on a large site: those of vectors, and that of words.

They are built without blocking reads or writes. A vector index is built quickly as long as its graph fits
into ``maintenance_work_mem``, and many times more slowly from then on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.contrib.postgres.indexes import GinIndex
from django.db import DatabaseError, OperationalError, connection, models
from pgvector.django import HnswIndex
from psycopg.errors import LockNotAvailable

from library.models import Track, TrackLens

log = logging.getLogger(__name__)

WAIT_SECONDS: Final = 5.0
"""For others to let go of a table whose index is to be dropped."""
MEMORY_MB: Final = 1024
"""For one build, where nothing else is said; see docs/large-sites.md."""
_LARGE: Final = (HnswIndex, GinIndex)


@dataclass(frozen=True, slots=True)
class Built:
    """An index, the seconds that its build took, and its size in bytes."""

    name: str
    seconds: float
    size: int


def indexes() -> list[tuple[type[models.Model], models.Index]]:
    """List the large indexes with their models."""
    return [
        (model, index)
        for model in (TrackLens, Track)
        for index in model._meta.indexes
        if isinstance(index, _LARGE)
    ]


def drop(*, wait_seconds: float = WAIT_SECONDS, on_kept: Callable[[str], None] = lambda name: None) -> None:
    """Drop the large indexes. Until they are built again what they answer is right, but slow.

    Nobody who reads or writes waits for it. An index whose table others hold for longer than `wait_seconds`
    is kept, and at most no longer used: `build` mends that.
    """
    for _model, index in indexes():
        if not _drop(index.name, wait_seconds):
            on_kept(index.name)


def build(
    *,
    memory_mb: int = MEMORY_MB,
    anew: bool = False,
    on_begin: Callable[[str], None] = lambda name: None,
    on_built: Callable[[Built], None] = lambda built: None,
) -> list[Built]:
    """Build the large indexes that are missing or were not finished.

    Parameters
    ----------
    memory_mb
        How much memory one build may take.
    anew
        Build all of them, each beside the one in use, which it then replaces.
    on_begin, on_built
        Are told of each before and after. A build waits for transactions that began before it.
    """
    done = []
    for model, index in indexes():
        if _state(index.name) == "valid" and not anew:
            continue
        on_begin(index.name)
        started = time.perf_counter()
        _with_memory(memory_mb, partial(_build, model, index))
        built = Built(index.name, time.perf_counter() - started, size(index.name))
        done.append(built)
        on_built(built)
    return done


def size(name: str) -> int:
    """Give the size of an index in bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s::regclass)", [name])
        return int(cursor.fetchone()[0])


def _build(model: type[models.Model], index: models.Index) -> None:
    state = _state(index.name)
    with connection.schema_editor(atomic=False) as editor:
        # What a build that was interrupted has left behind.
        editor.execute(
            f"DROP INDEX CONCURRENTLY IF EXISTS {connection.ops.quote_name(f'{index.name}_ccnew')}"
        )
        name = connection.ops.quote_name(index.name)
        if state == "valid":
            editor.execute(f"REINDEX INDEX CONCURRENTLY {name}")
            return
        if state == "invalid":
            editor.execute(f"DROP INDEX CONCURRENTLY {name}")
        editor.add_index(model, index, concurrently=True)  # type: ignore[call-arg]  # of PostgreSQL's editor


def _with_memory(memory_mb: int, act: Callable[[], None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('maintenance_work_mem', %s, false)", [f"{memory_mb}MB"])
    try:
        try:
            act()
        except DatabaseError:
            # Several processes share the graph in /dev/shm, which is small in some containers.
            log.warning(
                "an index is built by one process after it could not be built by several", exc_info=True
            )
            with connection.cursor() as cursor:
                cursor.execute("SET max_parallel_maintenance_workers = 0")
            act()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET maintenance_work_mem")
            cursor.execute("RESET max_parallel_maintenance_workers")


def _state(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    return "missing" if row is None else "valid" if row[0] else "invalid"


def _drop(name: str, wait_seconds: float) -> bool:
    """Drop an index; False where others held its table for too long."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{wait_seconds * 1000:.0f}ms"])
        try:
            # Without it whoever reads would have to wait behind this for those who read already.
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {connection.ops.quote_name(name)}")
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        finally:
            cursor.execute("RESET lock_timeout")
    return True
