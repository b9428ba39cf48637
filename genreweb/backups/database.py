"""The rows of a site through PostgreSQL's programs: dumped from one snapshot, loaded in one transaction."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from django.db import connection, transaction
from django.db.backends.postgresql.client import DatabaseClient
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from genreweb.backups.archive import CHUNK, BackupError
from genreweb.embedded import postgres
from genreweb.embedded.process import EngineError

_LOCK_WAIT = "30s"
_OWN_FUNCTIONS = """
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
)"""
_SINCE_17 = b"SET transaction_timeout = 0;\n"


@contextlib.contextmanager
def snapshot() -> Iterator[str]:
    """Hold one state of all rows for a block, for queries of this connection and for `dump`."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield str(cursor.fetchone()[0])


def tables() -> list[str]:
    """Name the tables of the site that exist."""
    names = {*connection.introspection.django_table_names(), MigrationRecorder.Migration._meta.db_table}
    with connection.cursor() as cursor:
        return sorted(names.intersection(connection.introspection.table_names(cursor)))


def functions() -> list[str]:
    """Give the definitions of the functions of the site that no extension brought."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_get_functiondef(p.oid) {_OWN_FUNCTIONS} ORDER BY 1")
        return [str(definition) for (definition,) in cursor.fetchall()]


def _function_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT p.oid::regprocedure::text {_OWN_FUNCTIONS}")
        return [str(name) for (name,) in cursor.fetchall()]


def applied_migrations() -> list[str]:
    """Name the applied migrations as ``app.name``."""
    return sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations())


def unknown_migrations(names: Sequence[str]) -> list[str]:
    """Name the migrations that this release does not have."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    known = {".".join(key) for key in loader.disk_migrations}
    known |= {".".join(key) for migration in loader.disk_migrations.values() for key in migration.replaces}
    return sorted(set(names) - known)


def dump(target: IO[bytes], *, of: str, names: Sequence[str]) -> None:
    """Write the tables `names` of the snapshot `of` into a file, in pg_dump's custom format."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = cursor.fetchone()[0]
    words = [
        *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={of}"),
        f"--lock-wait-timeout={_LOCK_WAIT}",
        *(f'--table="{schema}"."{name}"' for name in names),
    ]
    command, environment = _client("pg_dump", words)
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(  # noqa: S603  # our own words
            command, env=environment, stdin=subprocess.DEVNULL, stdout=target, stderr=said, check=False
        )
        if done.returncode != 0:
            raise BackupError(f"The database could not be dumped: {_tail(said)}")


def load(source: IO[bytes], *, names: Sequence[str], functions: Sequence[str] = ()) -> None:
    """Replace the tables `names` by those of a dump, and the site's functions, in one transaction.

    Parameters
    ----------
    functions
        Definitions, as `functions` gives them.

    Raises
    ------
    BackupError
        The rows are as they were.
    """
    present = _function_names()
    # This process's own connection must not hold what the transaction waits for.
    connection.close()
    command, environment = _client("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"])
    before = [
        "BEGIN",
        f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'",
        "SET LOCAL client_min_messages = warning",
        "CREATE EXTENSION IF NOT EXISTS vector",
        *(f'DROP TABLE IF EXISTS "{name}" CASCADE' for name in names),
        *(f"DROP FUNCTION {name} CASCADE" for name in present),
        *functions,
    ]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as said_of_dump:
        loader = subprocess.Popen(  # noqa: S603  # our own words
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        assert loader.stdin is not None  # noqa: S101  # a pipe was asked for
        reader = subprocess.Popen(  # noqa: S603  # our own words
            [str(_tool("pg_restore")), "--no-owner", "--no-privileges", "--file=-"],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=said_of_dump,
        )
        assert reader.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError), loader.stdin as script, reader.stdout as statements:
            script.write("".join(f"{statement};\n" for statement in before).encode())
            for chunk in portable(statements, server=_server()):
                script.write(chunk)
            # Without this word nothing was done: a reader that fails half-way changes nothing.
            if reader.wait() == 0:
                script.write(b"COMMIT;\n")
        failed = reader.wait() != 0
        if loader.wait() != 0 or failed:
            reason = _tail(said) or _tail(said_of_dump)
            raise BackupError(f"The database could not be loaded, and is as it was: {reason}")


def portable(statements: IO[bytes], *, server: int) -> Iterator[bytes]:
    """Leave out of a script the one setting of its head that servers before 17 do not know."""
    head = statements.read(CHUNK)
    yield head if server >= 17 else head.replace(_SINCE_17, b"", 1)
    while chunk := statements.read(CHUNK):
        yield chunk


def _server() -> int:
    connection.ensure_connection()
    version = int(connection.pg_version) // 10000  # type: ignore[attr-defined]  # of the PostgreSQL backend
    connection.close()
    return version


def _client(name: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
    arguments, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, words)
    # Of the options these programs are told a few; which of several servers is meant is one more that counts.
    meant = connection.settings_dict["OPTIONS"].get("target_session_attrs")
    told = {"PGTARGETSESSIONATTRS": meant} if meant else {}
    return [str(_tool(name)), *arguments[1:]], {**os.environ, **told, **(environment or {})}


def _tool(name: str) -> Path:
    """Find a program of PostgreSQL that is not older than the server: the site's own, or an installed one."""
    server = _server() if connection.connection is None else int(connection.pg_version) // 10000  # type: ignore[attr-defined]
    with contextlib.suppress(EngineError):
        own = postgres.program(name)
        if own.exists() and server <= postgres.VERSION:
            return own
    installed = shutil.which(name)
    if installed is None:
        raise BackupError(f"{name} of PostgreSQL {server} or newer is needed on the PATH.")
    return Path(installed)


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-500:]
