"""A PostgreSQL with a standby that follows it: the one is lost, the other takes over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from genreweb.drills.faults import Fault
from genreweb.embedded import account, postgres
from genreweb.trial import Site

FIRST: Final = 5432
SECOND: Final = 5433
"""Their ports; each has a socket by that name in the one folder."""
GONE_SECONDS: Final = 3.0
"""Between the loss of one and the promotion of the other: what an administrator's tool needs to be sure."""
_SECONDS: Final = 60.0
_SUPERUSER: Final = "postgres"
_OPTIONS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "max_connections": "200",
    "wal_level": "replica",
    "random_page_cost": "1.1",
}


class Pair:
    """A server and its standby, for the time of a block.

    A transaction is over once both have it (``synchronous_standby_names``), so that nothing that was answered
    is lost with the one.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="genreweb-pair-"))
        # Where root starts it the servers run as somebody else, who passes through.
        self.folder.chmod(0o711)
        self._sockets = self.folder / "run"
        self._who = account.identity(self.folder / "first")
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """Give the address of both, as `DATABASE_URL` names it."""
        return f"postgresql://genreweb@/genreweb?host={self._sockets},{self._sockets}&port={FIRST},{SECOND}"

    def __enter__(self) -> Self:
        try:
            for name in ("run", "first", "second"):
                (self.folder / name).mkdir(mode=0o700)
                if self._who:
                    os.chown(self.folder / name, self._who["user"], self._who["group"])
            self._run(
                "initdb",
                *(f"--pgdata={self.folder / 'first'}", f"--username={_SUPERUSER}", "--encoding=UTF8"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--auth-local=trust", "--auth-host=reject", "--no-instructions", "--no-sync"),
            )
            self._start("first", FIRST, synchronous_standby_names="*")
            # No standby confirms it yet.
            self.ask("SET synchronous_commit = local; CREATE EXTENSION vector", database="template1")
            self.ask("SET synchronous_commit = local; CREATE ROLE genreweb LOGIN CREATEDB")
            self._run("createdb", *self._at(FIRST), "--owner=genreweb", "genreweb", local=True)
            copied = ("--pgdata", str(self.folder / "second"), "--write-recovery-conf", "--checkpoint=fast")
            self._run("pg_basebackup", *self._at(FIRST), *copied)
            self._start("second", SECOND)
            self._await(lambda: self.ask("SELECT sync_state FROM pg_stat_replication") == "sync")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End both and remove their folder."""
        for port in tuple(self._running):
            self._end(port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def lose(self, _site: Site | None = None) -> bool:
        """End the first server as the loss of its machine would."""
        if FIRST not in self._running:
            return False
        self._end(FIRST)
        return True

    def promote(self) -> None:
        """Let the standby take writes."""
        self.ask("SELECT pg_promote()", port=SECOND)

    def fault(self) -> Fault:
        """Give the loss of the first server, after which the standby is promoted."""
        return Fault("after a standby took over", self.lose, mend=self.promote, lasts=GONE_SECONDS)

    def ask(self, statements: str, *, port: int = FIRST, database: str = "postgres") -> str:
        """Run statements as the superuser; give what they print."""
        said = self._run(
            "psql", *self._at(port), "--no-psqlrc", "--quiet", "-At", "--dbname", database, "-c", statements
        )
        return said.strip()

    def _at(self, port: int) -> tuple[str, ...]:
        return ("--host", str(self._sockets), "--port", str(port), "--username", _SUPERUSER)

    def _run(self, name: str, *words: str, local: bool = False) -> str:
        confirmed = {"PGOPTIONS": "-c synchronous_commit=local"} if local else {}
        done = subprocess.run(
            [str(postgres.program(name)), *words],
            cwd=self.folder,
            env={**postgres.environment(), **confirmed},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            **self._who,
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr[-1000:]}")
        return done.stdout

    def _start(self, name: str, port: int, **options: str) -> None:
        chosen = {**_OPTIONS, "unix_socket_directories": str(self._sockets), "port": str(port), **options}
        settings = (part for key, value in chosen.items() for part in ("-c", f"{key}={value}"))
        with (self.folder / f"{name}.log").open("wb") as log:
            self._running[port] = subprocess.Popen(
                [str(postgres.program("postgres")), "-D", str(self.folder / name), *settings],
                cwd=self.folder / name,
                env=postgres.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._who,
            )
        self._await(lambda: self._answers(port))

    def _answers(self, port: int) -> bool:
        ready = subprocess.run(
            [str(postgres.program("pg_isready")), "--host", str(self._sockets), "--port", str(port)],
            env=postgres.environment(),
            capture_output=True,
            check=False,
            **self._who,
        )
        return ready.returncode == 0

    def _end(self, port: int) -> None:
        process = self._running.pop(port)
        process.send_signal(signal.SIGQUIT)
        process.wait(_SECONDS)

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not condition():
            if time.monotonic() > deadline:
                logs = "".join(path.read_text(errors="replace")[-1000:] for path in self.folder.glob("*.log"))
                raise SystemExit(f"A server did not start:\n{logs}")
            time.sleep(0.1)
