"""``make run`` from outside: what starts, what is started again, what is left when it ends."""

from __future__ import annotations

import functools
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from classifier.tests import processes
from genreweb.embedded import leftovers, paths
from genreweb.embedded.engines import Borrowed
from genreweb.tests.site import WatchedSite, copy_prepared, environment, free_port, run_command
from genreweb.version import VERSION

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedSite]:
    """A site whose folder was never there before."""
    running = WatchedSite(tmp_path_factory.mktemp("site") / "var with space")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def test_starts_everything(first: WatchedSite) -> None:
    site = first
    status, said = site.request("GET", "/healthz")
    assert (status, said["status"]) == (200, "ok")
    assert said["checks"] == dict.fromkeys(("database", "broker", "storage", "room", "worker"), "ok")
    assert said["version"] == VERSION
    assert said["classifier"]
    assert f"http://127.0.0.1:{site.port}/" in site.output()
    # It is the last thing that is said.
    # As it is typed where nobody knows of the site's folder.
    command = f"GENREWEB_VAR='{site.var}' .venv/bin/python manage.py createsuperuser"
    site.wait_until("note", lambda: command in site.output())
    site.wait_until("scheduler", lambda: site.named("celery", "beat"))
    site.wait_until("training worker", lambda: site.named("celery", "training@"))
    assert site.named("gunicorn")
    assert site.named("celery", "analysis@")
    key = site.var / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_text().strip()) >= 50

    # A second one in the same folder is refused and disturbs nothing.
    again = run_command("-m", "genreweb.embedded", "run", env=environment(site.var, free_port()))
    assert again.returncode == 1
    assert again.stdout == ""
    assert len(again.stderr.strip().splitlines()) == 1
    assert "already runs" in again.stderr
    assert str(site.supervisor.pid) in again.stderr
    site.wait_until_healthy()

    # A command in another terminal finds the running engines, and leaves them running.
    made = run_command("manage.py", "showmigrations", "accounts", env=site.environment)
    assert "[X] 0001_initial" in made.stdout, made.stderr
    site.wait_until_healthy()


def test_starts_again_what_is_killed(first: WatchedSite) -> None:
    site = first
    # The second is valkey-server or redis-server, whichever this machine has.
    for words in (("gunicorn",), ("-server",), ("celery", "analysis@"), ("postgres", "-D")):
        victim = min(site.named(*words), key=lambda process: process.create_time())
        victim.kill()
        psutil.wait_procs([victim], timeout=20)
        site.wait_until(f"{words} again", functools.partial(site.has_another, victim.pid, *words))
        site.wait_until_healthy()
    assert "ended by SIGKILL" in site.output()


def test_the_next_one_starts_after_everything_or_the_supervisor_was_killed(
    first: WatchedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (first.var / "secret_key").read_text()
    code = "from genreweb.accounts.models import User; User.objects.create_user('kept@example.org', 'x')"
    assert run_command("manage.py", "shell", "-c", code, env=first.environment).returncode == 0
    # What the supervisor was starting in that moment may be missing from a first look.
    first.wait_until("all dead", lambda: not first.kill_all())
    second = WatchedSite(first.var)
    try:
        second.wait_until_ready()
        # What nobody waits for is being started now.
        second.supervisor.kill()
        second.supervisor.wait()
        # At once: the next one waits for the last one's processes to end.
        third = WatchedSite(first.var)
        try:
            third.wait_until_ready()
            third.wait_until_healthy()
            old = [
                processes.command(process)
                for process in third.family()
                if processes.environ(process).get("PORT") == str(second.port)
            ]
            assert old == []
            assert third.end(signal.SIGHUP) == 0
            assert third.family() == []
            assert third.output().rstrip().endswith("Stopped")
        finally:
            third.close()
    finally:
        second.close()
    # The sockets of a folder with a space in its name lie elsewhere.
    monkeypatch.setenv("GENREWEB_VAR", str(first.var))
    assert not paths.run_dir().is_relative_to(first.var)
    assert not paths.run_dir().exists()
    code = "from genreweb.accounts.models import User; print(User.objects.get().email)"
    kept = run_command("manage.py", "shell", "-v", "0", "-c", code, env=first.environment)
    assert kept.stdout.strip() == "kept@example.org", kept.stderr
    assert (first.var / "secret_key").read_text() == key


def test_what_a_killed_supervisor_and_watchdog_left_is_ended_at_the_next_start(
    prepared: Path, tmp_path: Path
) -> None:
    copy_prepared(prepared, to=tmp_path / "var")
    site = WatchedSite(tmp_path / "var")
    try:
        site.wait_until_ready()
        site.wait_until("scheduler", lambda: site.named("celery", "beat"))
        # The watchdog is a fork with the same words, so that `pkill -9 -f genreweb.embedded` finds both.
        watchdogs = [
            process
            for process in site.named("genreweb.embedded", "run")
            if process.pid != site.supervisor.pid
        ]
        assert len(watchdogs) == 1
        watchdogs[0].kill()
        site.supervisor.kill()
        site.supervisor.wait()
        left = site.named("gunicorn")
        assert left, "nothing outlived its supervisor"
        assert site.request("GET", "/healthz")[0] == 200
        again = WatchedSite(site.var, PORT=str(site.port))
        try:
            again.wait_until_ready()
            assert "of a site that was killed" in again.output()
            assert not [process for process in left if process.is_running()]
            assert again.end() == 0
            assert again.family() == []
        finally:
            again.close()
    finally:
        site.close()


def test_a_command_ends_what_a_killed_site_left(prepared: Path, tmp_path: Path) -> None:
    copy_prepared(prepared, to=tmp_path / "var")
    env = environment(tmp_path / "var", 1)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = subprocess.Popen(sleep, env={**env, leftovers.MARK: "1"}, start_new_session=True)
    other = subprocess.Popen(sleep, env=env, start_new_session=True)
    try:
        assert run_command("manage.py", "showmigrations", "accounts", env=env).returncode == 0
        assert left.wait(10) == -signal.SIGTERM
        # Another command in the same folder goes on.
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_addresses_from_outside_replace_the_private_engines(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_prepared(prepared, to=tmp_path / "elsewhere", parts=["postgres"])
    copy_prepared(prepared, to=tmp_path / "var", parts=["media", "static"])
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GENREWEB_VAR", str(tmp_path / "elsewhere"))
    with Borrowed(volatile=True) as elsewhere:
        # The way PostgreSQL's own URLs write a socket.
        socket_dir = quote(str(paths.postgres_socket_dir()), safe="")
        site = WatchedSite(
            tmp_path / "var",
            DATABASE_URL=f"postgresql://genreweb@{socket_dir}/genreweb",
            REDIS_URL=paths.redis_url(),
            SECRET_KEY="given from outside, and long enough for anybody",
            ALLOWED_HOSTS="music.example.org",
        )
        try:
            site.wait_until_ready()
            assert site.named("postgres") == site.named("-server") == []
            headers = {"Host": "music.example.org"}
            assert site.request("GET", "/healthz", headers=headers)[0] == 200
            assert not (site.var / "postgres").exists()
            assert not (site.var / "secret_key").exists()
            assert site.end(signal.SIGINT) == 0
            assert site.family() == []
        finally:
            site.close()
    elsewhere.wait_until_stopped(30)


def _refusal(env: dict[str, str]) -> str:
    refused = run_command("-m", "genreweb.embedded", "run", env=env)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    return refused.stderr


def test_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} on 127.0.0.1 is taken" in _refusal(environment(tmp_path / "var", port))
    # Nothing was made but the folder: the next start is a first start.
    assert not (tmp_path / "var" / "postgres").exists()


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1"])
def test_port_that_is_none_is_said(tmp_path: Path, port: str) -> None:
    assert f"PORT={port} is not a port" in _refusal({**environment(tmp_path, 1), "PORT": port})


def test_foreign_host_is_said(tmp_path: Path) -> None:
    # 192.0.2.0/24 is set aside for documentation: no machine has it.
    said = _refusal({**environment(tmp_path, free_port()), "HOST": "192.0.2.1"})
    assert "choose another HOST" in said


def test_unwritable_folder_is_said(tmp_path: Path) -> None:
    if os.getuid() == 0:
        # Nothing is read-only to root but what the kernel itself refuses.
        folder = Path("/proc/genreweb")
    else:
        tmp_path.chmod(0o500)
        folder = tmp_path / "var"
    assert f"Cannot write to {folder}" in _refusal(environment(folder, free_port()))


def test_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    assert "Cannot write to" in _refusal(environment(tmp_path / "var", free_port()))


def test_admin_from_the_environment_is_made_once(prepared: Path, tmp_path: Path) -> None:
    copy_prepared(prepared, to=tmp_path / "var")
    env = environment(
        tmp_path / "var",
        1,
        GENREWEB_ADMIN_EMAIL="boss@example.org",
        GENREWEB_ADMIN_PASSWORD="a long enough one",
    )
    for _ in range(2):
        done = run_command("manage.py", "prepare", env=env)
        assert done.returncode == 0, done.stderr
        assert "createsuperuser" not in done.stdout
    code = "from genreweb.accounts.models import User; print(User.objects.filter(is_superuser=True).count())"
    counted = run_command("manage.py", "shell", "-v", "0", "-c", code, env=env)
    assert counted.stdout.strip() == "1", counted.stderr


def test_repository_is_where_the_make_file_is() -> None:
    assert (paths.REPOSITORY / "Makefile").exists()
