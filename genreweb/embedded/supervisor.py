"""``make run``: everything a site is made of, started in order, kept alive, ended in order."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from genreweb.embedded import engines, leftovers, paths, preflight, release
from genreweb.embedded.child import Child, Log, piped
from genreweb.embedded.engines import Engine
from genreweb.embedded.flag import Flag
from genreweb.embedded.locks import FileLock
from genreweb.embedded.postgres import Postgres
from genreweb.embedded.process import EngineError
from genreweb.embedded.redis import Redis
from genreweb.embedded.services import Service, services
from genreweb.embedded.watchdog import Watchdog

SLOW_SECONDS = 60.0
"""After which it is said what has not started yet."""
READY_SECONDS = 600.0
"""After which the start is given up: on a busy machine a worker may need minutes."""
WARM_SECONDS = 8.0
COLD_SECONDS = 3.0
HOPELESS = 3
"""How often a process may fail while the site starts before the start is given up."""


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The site was asked to end while it started."""


def say(line: str) -> None:
    """Tell the person at the terminal, if there still is one."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def run(*, verbose: bool = False, processes: Callable[[preflight.Address], list[Service]] = services) -> int:
    """Run the site until Ctrl-C, SIGTERM or SIGHUP; raise `EngineError` or `VarError` if it cannot start."""
    preflight.check_python()
    where = preflight.address()
    paths.make_var()
    with preflight.take_site(where) as lock:
        if ended := leftovers.end_leftovers():
            say(f"Ended {ended} processes of a site that was killed")
        preflight.check_port(where)
        preflight.check_disk()
        wanted = engines.make()
        with preflight.take_engines() if wanted else contextlib.nullcontext() as owner:
            site = Site(where, wanted, owner, verbose=verbose, processes=processes)
            try:
                site.start()
                site.watch()
            except Stopped:
                pass
            finally:
                site.stop()
                lock.write("")
    return 0


class Site:
    """The engines, the processes that need them, and the order among them."""

    def __init__(
        self,
        where: preflight.Address,
        wanted: list[Engine],
        owner: FileLock | None,
        *,
        verbose: bool,
        processes: Callable[[preflight.Address], list[Service]],
    ) -> None:
        self._where = where
        self._processes = processes
        self._owner = owner
        self._verbose = verbose
        self._up = threading.Event()
        self._asked_to_stop = Flag()
        self._in_a_hurry = Flag()
        self._asked_at = 0.0
        self._watchdog = Watchdog()
        self._engines = {engine.name: (engine, self._engine_child(engine)) for engine in wanted}
        self._children: list[Child] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A terminal, a shell and make may each pass on the same wish; only a second, later one means "now".
        now = time.monotonic()
        if self._asked_to_stop.is_set() and now - self._asked_at > 1:
            self._in_a_hurry.set()
        if not self._asked_to_stop.is_set():
            self._asked_at = now
            self._asked_to_stop.set()

    # --- start ------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Bring the site up; return once it answers."""
        began = time.monotonic()
        if self._engines:
            say(f"Starting {' and '.join(_TITLES[name] for name in self._engines)} in {paths.var_dir()}")
        # Commands that ended since the folder was looked at may have tidied up after themselves.
        paths.make_var()
        for engine, child in self._engines.values():
            engine.prepare()
            child.start()
        for engine, child in self._engines.values():
            self._await_engine(engine, child)
        if self._owner is not None:
            self._owner.write(engines.READY)
        known = bool(self._engines) and release.is_prepared()
        notes = "" if known else self._prepare()
        say("Starting the web server, the workers and the scheduler")
        self._launch_services(people_wait=True)
        self._await_health()
        self._up.set()
        say(f"Genreweb is ready at {self._where.url} after {time.monotonic() - began:.1f} s. Ctrl-C ends it.")
        self._launch_services(people_wait=False)
        # A database may have been put back from a copy: what was fine last time is looked at all the same.
        notes = self._prepare() if known else notes
        if notes:
            say(notes)

    def _launch_services(self, *, people_wait: bool) -> None:
        for service in self._processes(self._where):
            if service.people_wait is people_wait:
                child = self._service_child(service)
                self._children.append(child)
                child.start()

    def _engine_child(self, engine: Engine) -> Child:
        # What PostgreSQL calls an error is mostly a constraint that did its work.
        log = Log(engine.name, say=say, verbose=self._verbose, live=self._up, grave={"PANIC"})
        return Child(
            engine.name,
            start=functools.partial(self._start_engine, engine),
            log=log,
            say=say,
            end_signal=engine.end_signal,
        )

    def _start_engine(self, engine: Engine) -> subprocess.Popen[bytes]:
        # It may run as somebody who may not run this Python, so it cannot be wrapped.
        process = engine.start(subprocess.PIPE)
        self._watchdog.watch(process.pid, engine.end_signal, last=True)
        return process

    def _service_child(self, service: Service) -> Child:
        environment = {**self._environment(), **service.environment}
        return Child(
            service.name,
            start=functools.partial(
                piped, service.command, environment, self._watchdog.wrapper(signal.SIGTERM)
            ),
            log=Log(service.name, say=say, verbose=self._verbose, live=self._up),
            say=say,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "GENREWEB_VAR": str(paths.var_dir()),
            "HOST": self._where.host,
            "PORT": str(self._where.port),
            "PYTHONUNBUFFERED": "1",
            **leftovers.mark(),
        }

    def _await_engine(self, engine: Engine, child: Child) -> None:
        if self._becomes_ready(engine, child):
            return
        if not child.is_running() and engine.recover():
            say(f"{_TITLES[engine.name]} starts afresh: what it kept cannot be read, and is queued again.")
            child.start()
            if self._becomes_ready(engine, child):
                return
        raise EngineError(f"{_TITLES[engine.name]} does not start:\n{child.log.recent()}")

    def _becomes_ready(self, engine: Engine, child: Child) -> bool:
        return child.process is not None and engines.becomes_ready(engine, child.process, go_on=self._go_on)

    def _prepare(self) -> str:
        """Bring rows and static files up to date; give what should be said once the site is ready."""
        release.forget_prepared()
        wrapper = self._watchdog.wrapper(signal.SIGTERM)
        process = subprocess.Popen(  # noqa: S603  # our own words
            [*wrapper.words, sys.executable, "manage.py", "prepare"],
            pass_fds=wrapper.descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=paths.REPOSITORY,
            env={**os.environ, **self._environment()},
            start_new_session=True,
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    said, _ = process.communicate(timeout=0.1)
                    break
                self._go_on()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._watchdog.unwatch(process.pid)
        if process.returncode != 0:
            raise EngineError("The site could not be prepared; the reason is above.")
        release.note_prepared()
        return said.decode(errors="replace").strip()

    def _go_on(self) -> None:
        if self._asked_to_stop.is_set():
            raise Stopped

    def _await_health(self) -> None:
        """Wait until the site says that all of it works."""
        began, announced = time.monotonic(), False
        while missing := self._missing():
            self._go_on()
            self._tend()
            for child in self._children:
                if child.failures >= HOPELESS:
                    raise EngineError(f"{child.name} does not start:\n{child.log.recent()}")
            waited = time.monotonic() - began
            if waited > SLOW_SECONDS and not announced:
                announced = True
                say(f"Not everything has started yet: {missing}. Waiting on")
            if waited > READY_SECONDS:
                raise EngineError(f"Not everything started: {missing}. The logs are in {paths.log_dir()}.")
            self._asked_to_stop.wait(0.1)

    def _missing(self) -> str:
        """Name what does not work yet; nothing if the site is healthy."""
        connection = http.client.HTTPConnection(self._where.reachable_host, self._where.port, timeout=5)
        # The name that the site goes by; it answers to no other.
        host = (os.environ.get("ALLOWED_HOSTS") or "localhost").split(",")[0].strip().lstrip(".")
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost" if host == "*" else host})
            response = connection.getresponse()
            said = response.read()
            if response.status == 200:
                return ""
            checks = json.loads(said).get("checks", {})
            return (
                ", ".join(name for name, state in checks.items() if state != "ok")
                or f"status {response.status}"
            )
        except (OSError, http.client.HTTPException, ValueError):
            return "the web server"
        finally:
            connection.close()

    # --- life -------------------------------------------------------------------------------------------
    def watch(self) -> None:
        """Start again what ends, until somebody asks for the end."""
        while not self._asked_to_stop.wait(0.25):
            self._tend()

    def _tend(self) -> None:
        for engine, child in self._engines.values():
            if child.has_ended():
                self._watchdog.unwatch(child.group)
                child.forget()
            elif child.is_due():
                try:
                    engine.prepare()
                    child.start()
                except (EngineError, OSError) as error:
                    say(str(error))
        for child in self._children:
            if child.has_ended():
                self._watchdog.unwatch(child.group)
                child.forget()
            elif child.is_due():
                child.start()

    # --- end --------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """End everything: first what takes work in, the database last."""
        say("Stopping")
        self._up.clear()
        for child in self._children:
            child.signal(child.end_signal)
        self._await_children(WARM_SECONDS)
        # Celery's second word: leave the job, its message goes back to the queue.
        for child in self._children:
            child.signal(signal.SIGQUIT)
        self._await_children(COLD_SECONDS)
        for child in self._children:
            child.kill()
        for engine, child in reversed(self._engines.values()):
            if child.process is not None:
                engine.stop(child.process)
            child.kill()
        if self._owner is not None:
            paths.clear_run_dir()
            self._owner.write("")
        self._watchdog.dismiss()
        say("Stopped")

    def _await_children(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        waiting = [child for child in self._children if not child.await_end(0)]
        while waiting and time.monotonic() < end and not self._in_a_hurry.is_set():
            time.sleep(0.05)
            waiting = [child for child in waiting if not child.await_end(0)]


_TITLES = {Postgres.name: "PostgreSQL", Redis.name: "Redis"}
