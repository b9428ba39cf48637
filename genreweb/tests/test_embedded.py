"""The private engines: where they lie, who may open them, who starts and stops them."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from genreweb.embedded import engines, paths, supervisor
from genreweb.embedded.engines import Borrowed
from genreweb.embedded.flag import Flag
from genreweb.embedded.locks import FileLock
from genreweb.embedded.paths import VarError
from genreweb.embedded.process import EngineError
from genreweb.embedded.supervisor import Site
from genreweb.tests.site import environment, run_command


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own; whatever borrowed engines in it has let go of them at the end."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GENREWEB_VAR", str(tmp_path / "v"))
    yield tmp_path / "v"
    if paths.engines_lock().exists():
        assert_engines_stop()


def assert_engines_stop() -> None:
    with FileLock(paths.engines_lock()) as owner:
        assert owner.try_take(seconds=30)


# --- places ---------------------------------------------------------------------------------------------
def test_relative_folder_is_meant_from_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENREWEB_VAR", "elsewhere")
    assert paths.var_dir() == paths.REPOSITORY / "elsewhere"
    monkeypatch.setenv("GENREWEB_VAR", "")
    assert paths.var_dir() == paths.REPOSITORY / "var"


@pytest.mark.parametrize("name", ["x" * 120, "with space", "comma,quote'"])
def test_sockets_of_an_awkward_folder_lie_in_a_short_plain_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("GENREWEB_VAR", str(tmp_path / name))
    place = paths.run_dir()
    assert not place.is_relative_to(tmp_path)
    assert str(os.getuid()) in place.name
    assert len(os.fsencode(paths.postgres_socket_dir() / ".s.PGSQL.5432.lock")) < 104
    assert place == paths.run_dir()
    monkeypatch.setenv("GENREWEB_VAR", str(tmp_path / name / "other"))
    assert paths.run_dir() != place


def test_somebody_elses_folder_of_sockets_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREWEB_VAR", str(tmp_path / "with space"))
    monkeypatch.setattr(paths, "SHORT_PLACE", tmp_path)
    squatted = paths.run_dir()
    squatted.mkdir()
    squatted.chmod(0o777)
    with pytest.raises(VarError, match="belongs to somebody else or is open"):
        paths.make_var()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///srv/run/redis.sock?db=2", "redis+socket:///srv/run/redis.sock?virtual_host=2"),
        ("unix:///srv/run/redis.sock", "redis+socket:///srv/run/redis.sock?virtual_host=0"),
        ("rediss://user:secret@broker:6380/1", "rediss://user:secret@broker:6380/1"),
    ],
)
def test_celery_reads_the_same_address(url: str, expected: str) -> None:
    assert paths.celery_url(url) == expected


@pytest.mark.slow
def test_secret_key_is_made_once_for_its_owner_only(var: Path) -> None:
    code = "from genreweb.embedded import paths; print(paths.secret_key())"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=paths.REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    keys = {process.communicate()[0].strip() for process in running}
    assert len(keys) == 1
    key = keys.pop()
    assert len(key) >= 50
    assert paths.secret_key() == key
    assert stat.S_IMODE((var / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in var.iterdir() if path.name.startswith(".secret")] == []


def test_folder_is_closed_to_others(var: Path) -> None:
    paths.make_var()
    for folder in (var, paths.run_dir()):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o066 == 0
    assert stat.S_IMODE(paths.log_dir().stat().st_mode) == 0o700


def test_folder_is_at_no_moment_open_to_others(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process that comes while the first is at it must not take the folder for a stranger's."""
    seen = []
    chmod = Path.chmod

    def look_and_chmod(path: Path, mode: int) -> None:
        seen.append(stat.S_IMODE(path.stat().st_mode))
        paths.make_var()
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", look_and_chmod)
    before = os.umask(0o022)
    try:
        paths.make_var()
    finally:
        os.umask(before)
    assert len(seen) >= 2
    assert [mode & 0o066 for mode in seen] == [0] * len(seen)


def test_folder_that_another_process_makes_meanwhile_is_used(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def make_twice(path: Path, *args: object, **kwargs: object) -> None:
        mkdir(path, *args, **{**kwargs, "exist_ok": True})  # type: ignore[arg-type]
        mkdir(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", make_twice)
    assert paths.make_var() == var
    assert paths.run_dir().is_dir()


# --- locks ----------------------------------------------------------------------------------------------
def test_lock_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from genreweb.embedded.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); lock.try_take(); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=paths.REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lock = FileLock(path)
        assert lock.is_held()
        assert not lock.try_take()
    finally:
        holder.kill()
        holder.communicate()
    assert not lock.is_held()
    assert lock.try_take()
    lock.release()


# --- engines --------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_engines_run_while_somebody_borrows_them(var: Path) -> None:
    with Borrowed(volatile=True) as borrowed:
        with psycopg.connect(paths.database_url()) as connection:
            row = connection.execute(
                "SELECT current_setting('listen_addresses'), current_setting('server_encoding'),"
                " rolsuper, '[1,2]'::vector <-> '[1,3]'::vector, lower('ÄÖ')"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        assert row == ("", "UTF8", False, 1.0, "äö")
        with redis.Redis.from_url(paths.redis_url()) as client:
            assert client.config_get("port") == {"port": "0"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert stat.S_IMODE(paths.redis_socket().stat().st_mode) == 0o700
        assert stat.S_IMODE(paths.postgres_socket_dir().stat().st_mode) == 0o700
        assert stat.S_IMODE(paths.pgdata().stat().st_mode) == 0o700
        # A second borrower shares them, and its end ends nothing.
        with Borrowed():
            pass
        psycopg.connect(paths.database_url()).close()
    borrowed.wait_until_stopped(30)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(paths.database_url())


def test_killed_borrower_leaves_no_engine(var: Path) -> None:
    code = (
        "from genreweb.embedded.engines import Borrowed\n"
        "Borrowed(volatile=True).__enter__(); print('up', flush=True); import time; time.sleep(60)"
    )
    borrower = subprocess.Popen(
        [sys.executable, "-c", code], cwd=paths.REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert borrower.stdout is not None
    assert borrower.stdout.readline() == "up\n"
    assert FileLock(paths.engines_lock()).is_held()
    borrower.kill()
    borrower.communicate()
    assert_engines_stop()
    assert not (paths.pgdata() / "postmaster.pid").exists()


@pytest.mark.slow
def test_command_starts_and_ends_the_engines_by_itself(var: Path) -> None:
    env = environment(var, 1)
    done = run_command("manage.py", "showmigrations", "accounts", env=env)
    assert "[ ] 0001_initial" in done.stdout, done.stderr
    assert_engines_stop()


@pytest.mark.slow
def test_command_that_needs_no_rows_starts_nothing(var: Path) -> None:
    assert run_command("manage.py", "version", env=environment(var, 1)).returncode == 0
    assert not paths.pgdata().exists()


@pytest.mark.slow
def test_command_in_another_folder_than_the_sites_says_so(var: Path) -> None:
    made = run_command(
        "manage.py", "createsuperuser", "--noinput", "--email", "a@b.org", env=environment(var, 1)
    )
    assert made.returncode == 1
    assert made.stderr.strip().splitlines()[-1] == (
        f"The database in {var} lacks tables of this release: start the site with it first, or name the "
        "folder of your site in GENREWEB_VAR."
    )
    assert "Traceback" not in made.stderr
    # A command that brings the tables is let through, and then the same command works.
    assert run_command("manage.py", "migrate", env=environment(var, 1)).returncode == 0
    again = run_command(
        *("manage.py", "createsuperuser", "--noinput", "--email", "a@b.org"),
        env=environment(var, 1, DJANGO_SUPERUSER_PASSWORD="long enough for it"),
    )
    assert again.returncode == 0, again.stderr
    assert_engines_stop()


def test_command_whose_database_goes_away_says_so(var: Path) -> None:
    code = (
        "from django.db import connection as c; c.ensure_connection(); q = c.cursor();"
        "q.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    )
    done = run_command("manage.py", "shell", "-c", code, env=environment(var, 1))
    assert done.returncode == 1
    assert f"The database in {var} does not answer, or no longer" in done.stderr
    assert "Run the command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert_engines_stop()


def test_note_of_a_server_that_is_gone_is_cleared_away(var: Path) -> None:
    with Borrowed(volatile=True) as first:
        pass
    first.wait_until_stopped(30)
    paths.make_var()  # the folder of sockets goes with the engines where the path of `var` is long
    # After a restart the number in the note is somebody else's: here, this test's own.
    (paths.pgdata() / "postmaster.pid").write_text(
        f"{os.getpid()}\n{paths.pgdata()}\n1\n5432\n\n\n1 1\nready\n"
    )
    with socket.socket(socket.AF_UNIX) as stale:
        paths.redis_socket().unlink(missing_ok=True)
        stale.bind(str(paths.redis_socket()))
    with Borrowed(volatile=True) as second:
        psycopg.connect(paths.database_url()).close()
        with redis.Redis.from_url(paths.redis_url()) as client:
            assert client.ping()
    second.wait_until_stopped(30)


@pytest.mark.slow
def test_queue_that_cannot_be_read_is_set_aside(var: Path) -> None:
    with Borrowed(volatile=True) as first:
        pass
    first.wait_until_stopped(30)
    # As if the Redis of another release had written it.
    broken = paths.redis_data() / "dump.rdb"
    broken.write_bytes(b"REDIS9999 not for you")
    with Borrowed(volatile=True) as second, redis.Redis.from_url(paths.redis_url()) as client:
        assert client.ping()
        assert (var / "redis.unreadable" / "dump.rdb").exists()
    second.wait_until_stopped(30)


@pytest.mark.slow
def test_data_of_another_postgresql_are_left_alone(var: Path) -> None:
    paths.make_var()
    paths.pgdata().mkdir()
    (paths.pgdata() / "PG_VERSION").write_text("12\n")
    done = run_command("manage.py", "migrate", env=environment(var, 1))
    assert done.returncode == 1
    assert "was written by PostgreSQL 12" in done.stderr
    assert (paths.pgdata() / "PG_VERSION").read_text() == "12\n"


@pytest.mark.slow
def test_folder_that_holds_something_else_is_left_alone(var: Path) -> None:
    paths.make_var()
    paths.pgdata().mkdir()
    (paths.pgdata() / "letter.txt").write_text("dear diary")
    done = run_command("manage.py", "migrate", env=environment(var, 1))
    assert done.returncode == 1
    assert "something that is not a database" in done.stderr
    assert (paths.pgdata() / "letter.txt").read_text() == "dear diary"


def test_addresses_from_outside_replace_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/site")
    assert engines.wanted() == ["redis"]
    monkeypatch.setenv("REDIS_URL", "redis://broker/0")
    assert engines.wanted() == []
    monkeypatch.setenv("DATABASE_URL", "")
    assert engines.wanted() == ["postgres"]


def test_a_slow_start_is_waited_for_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow(Site):
        """Needs a few looks until all of it is there; starts no process."""

        def __init__(self, looks: int) -> None:
            self._asked_to_stop = Flag()
            self._children, self._engines = [], {}
            self.left = looks

        def _missing(self) -> str:
            self.left -= 1
            return "worker" if self.left >= 0 else ""

    monkeypatch.setattr(supervisor, "SLOW_SECONDS", 0.0)
    Slow(3)._await_health()
    assert capsys.readouterr().out == "Not everything has started yet: worker. Waiting on\n"
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.0)
    with pytest.raises(EngineError, match="Not everything started: worker"):
        Slow(3)._await_health()
