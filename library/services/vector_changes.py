"""Changes of the catalogue's vectors, on their way to the second engine.

A trigger of the database notes them in the transaction that makes them, so that none is lost and none is told
too early. It is there only on sites that have the engine. One process at a time carries them over: two could
tell the engine of a change and of the one before it in the wrong order. Nothing is lost where that process is
killed, as a change is deleted after the engine has stored it, and carrying it over twice does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Min

from library.models import TrackLens, VectorChange
from library.services import vector_engine

LOT: Final = 500
"""Changes that are carried over in one transaction."""
WAIT_SECONDS: Final = 5.0
"""For others to let go of the table, so that its trigger can be made."""
_LOCK: Final = 0x76656374
_TRIGGER: Final = "tracklens_note_insert"
# Rows are compared in the function: in the condition of a trigger, an operator of pgvector could not be
# restored from a dump, which names no schema that it lies in.
_NOTE: Final = """
CREATE OR REPLACE FUNCTION library_tracklens_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.track_id, OLD.public, OLD.lens, OLD.version, OLD.vector)
            IS NOT DISTINCT FROM (NEW.track_id, NEW.public, NEW.lens, NEW.version, NEW.vector)
        THEN
            RETURN NULL;
        END IF;
        IF (OLD.track_id, OLD.lens, OLD.version) IS DISTINCT FROM (NEW.track_id, NEW.lens, NEW.version) THEN
            INSERT INTO library_vectorchange (track, lens, version)
            VALUES (NEW.track_id, NEW.lens, NEW.version);
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO library_vectorchange (track, lens, version) VALUES (NEW.track_id, NEW.lens, NEW.version);
    ELSE
        INSERT INTO library_vectorchange (track, lens, version) VALUES (OLD.track_id, OLD.lens, OLD.version);
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tracklens_note_insert AFTER INSERT ON library_tracklens
FOR EACH ROW WHEN (NEW.public)
EXECUTE FUNCTION library_tracklens_note_change();
CREATE OR REPLACE TRIGGER tracklens_note_update
AFTER UPDATE OF track_id, public, lens, version, vector ON library_tracklens
FOR EACH ROW WHEN (OLD.public OR NEW.public)
EXECUTE FUNCTION library_tracklens_note_change();
CREATE OR REPLACE TRIGGER tracklens_note_delete AFTER DELETE ON library_tracklens
FOR EACH ROW WHEN (OLD.public)
EXECUTE FUNCTION library_tracklens_note_change();
"""
_NOTE_NO_MORE: Final = """
DROP TRIGGER IF EXISTS tracklens_note_insert ON library_tracklens;
DROP TRIGGER IF EXISTS tracklens_note_update ON library_tracklens;
DROP TRIGGER IF EXISTS tracklens_note_delete ON library_tracklens;
DROP FUNCTION IF EXISTS library_tracklens_note_change();
"""


def are_noted() -> bool:
    """Whether the trigger is there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass)",
            [_TRIGGER, TrackLens._meta.db_table],
        )
        return bool(cursor.fetchone()[0])


def note(*, wait_seconds: float = WAIT_SECONDS) -> None:
    """Note changes from now on.

    Raises
    ------
    OperationalError
        If others held the table for longer than `wait_seconds`. Who writes to it waits at most so long.
    """
    _execute(_NOTE, wait_seconds)


def note_no_more(*, wait_seconds: float = WAIT_SECONDS) -> None:
    """Note no more changes, and forget those that wait; raises as `note` does."""
    with transaction.atomic():
        _execute(_NOTE_NO_MORE, wait_seconds)
        VectorChange.objects.all().delete()


def _execute(sql: str, wait_seconds: float) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_seconds * 1000:.0f}ms"])
        cursor.execute(sql)


def waiting() -> int:
    """Give how many changes wait."""
    return VectorChange.objects.count()


def carry_over(
    *, seconds: float, wait: bool = False, on_lot: Callable[[int], None] = lambda first: None
) -> int:
    """Tell the engine of the changes that wait, for so many seconds at most; give how many they were.

    Parameters
    ----------
    wait
        Wait for another process that does so, instead of leaving it to that one.
    on_lot
        Is told the key of the first change that waits, after each lot.

    Raises
    ------
    EngineError
        The changes that it did not take wait on.
    """
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until:
        carried = _carry_lot(wait)
        done += carried
        first = VectorChange.objects.aggregate(first=Min("pk"))["first"] if carried else None
        if first is None:
            break
        on_lot(first)
    return done


def _carry_lot(wait: bool) -> int:
    with transaction.atomic():
        if not hold(wait=wait):
            return 0
        changes = list(VectorChange.objects.order_by("pk")[:LOT])
        kind = attrgetter("lens", "version")
        for (lens, version), group in groupby(sorted(changes, key=kind), key=kind):
            _tell(lens, version, {change.track for change in group})
        VectorChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    return len(changes)


def _tell(lens: str, version: str, tracks: set[UUID]) -> None:
    # Read after the changes: what is changed from here on is noted anew.
    rows = TrackLens.objects.filter(lens=lens, version=version, public=True, track__in=tracks)
    vectors = dict(rows.values_list("track_id", "vector"))
    vector_engine.write(lens, version, vectors)
    vector_engine.remove(lens, version, sorted(tracks - vectors.keys()))


def hold(*, wait: bool) -> bool:
    """Let nobody else change what the engine holds until the transaction ends; False where somebody does."""
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
