"""The large indexes: dropped while others read, and built again."""

from __future__ import annotations

import threading
import time
from io import StringIO
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from classifier.models import ModelVersion
from library.services import large_indexes, seeding


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_index_in_use_is_kept_and_nobody_waits_for_its_end(version: ModelVersion, genres: Any) -> None:
    def names() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT relname FROM pg_class JOIN pg_index ON oid = indexrelid WHERE indisvalid")
            return {name for (name,) in cursor.fetchall()}

    every = {index.name for _model, index in large_indexes.indexes()}
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT count(*) FROM library_track, library_tracklens")
        kept: list[str] = []
        large_indexes.drop(wait_seconds=0.1, on_kept=kept.append)
        assert set(kept) == every
        # While a drop waits, as long as it may, others read on.
        drop = threading.Thread(target=_drop_all)
        drop.start()
        try:
            deadline = time.monotonic() + 30
            while not _is_waiting() and time.monotonic() < deadline:
                time.sleep(0.02)
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
                cursor.execute("SELECT count(*) FROM library_tracklens")
                assert cursor.fetchone() == (0,)
                cursor.execute("RESET lock_timeout")
        finally:
            other.rollback()
            drop.join(60)
    assert not names() & every
    out = StringIO()
    call_command("seed_catalogue", "3", "--yes", "--memory", "16", stdout=out)
    said = out.getvalue().splitlines()
    assert said[:2] == ["Making 3 tracks, 1,000 at a time", "Made 3 of 3"]
    assert {line.rpartition(" ")[2] for line in said if line.startswith("Building the index ")} == every
    assert names() >= every
    seeding.remove()
    with patch.object(seeding, "_MANY", 2), patch.object(large_indexes, "WAIT_SECONDS", 0.1):
        out = StringIO()
        call_command("seed_catalogue", "2", "--yes", "--memory", "16", stdout=out)
    assert out.getvalue().startswith("Dropping the large indexes")
    assert names() >= every


def _drop_all() -> None:
    try:
        large_indexes.drop(wait_seconds=60)
    finally:
        connection.close()


def _is_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
