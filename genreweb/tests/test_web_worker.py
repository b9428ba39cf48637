"""The web server from outside: slow clients, early refusals, chunked bodies, slow readers, a graceful end."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waitress import create_server, wasyncore

from genreweb.embedded import paths
from genreweb.embedded.preflight import Address
from genreweb.embedded.services import services
from genreweb.tests.site import free_port
from genreweb.web_connections import Connection, Request, end_overdue

APPLICATION = """
import os, time
from django.http import FileResponse, JsonResponse
from django.core.wsgi import get_wsgi_application
get_wsgi_application()

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/early":
        start_response("401 Unauthorized", [("Content-Length", "2")])
        return [b"no"]
    if path == "/slow":
        open(os.environ["LARGE"] + ".asked", "w").close()
        time.sleep(1)
    if path == "/large":
        size = os.path.getsize(os.environ["LARGE"])
        start_response("200 OK", [("Content-Length", str(size))])
        return environ["wsgi.file_wrapper"](open(os.environ["LARGE"], "rb"))
    body = environ["wsgi.input"].read()
    answer = f"{len(body)} {environ.get('CONTENT_LENGTH', '')}".encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
"""
TRICKLED = (
    b"POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nContent-Length: 1000000\r\n\r\n"
)


class Server:
    """The web server as `make run` starts it, around an application that tells what it was given."""

    def __init__(self, folder: Path) -> None:
        (folder / "tried.py").write_text(APPLICATION)
        self.port = free_port()
        (command,) = [one.command for one in services(Address("127.0.0.1", self.port)) if one.name == "web"]
        self.large = folder / "large"
        with self.large.open("wb") as file:
            file.truncate(64 * 2**20)
        self.process = subprocess.Popen(
            [word.replace("genreweb.wsgi", "tried") for word in command],
            cwd=paths.REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(folder), "LARGE": str(self.large)},
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/") == (200, b"0 ")
        return False

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        connection = self.connection()
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.process.kill()
    running.process.wait()


def test_slow_clients_keep_nobody_else_waiting(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        trickling = [stack.enter_context(server.connect()) for _ in range(64)]
        for client in trickling:
            client.sendall(TRICKLED + b"a" * 100)
        halves = [stack.enter_context(server.connect()) for _ in range(80)]
        for client in halves:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        for _ in range(20):
            for client in trickling:
                client.sendall(b"a")
            assert server.ask("GET", "/") == (200, b"0 ")
        # Whoever is slow and comes to an end is answered as well.
        for client in halves:
            client.sendall(b"alhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_slow_readers_keep_nobody_else_waiting(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(server.connect()) for _ in range(64)]
        for client in readers:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for client in readers:
            assert client.recv(1000)
        assert server.ask("GET", "/") == (200, b"0 ")
    assert len(server.ask("GET", "/large")[1]) == server.large.stat().st_size


def test_a_connection_lives_on_after_an_early_answer(server: Server) -> None:
    for size in (0, 10, 300_000, 3_000_000):
        connection = server.connection()
        for _ in range(5):
            connection.request("POST", "/early", b"a" * size, {"Authorization": "Bearer x"})
            response = connection.getresponse()
            assert (response.status, response.read()) == (401, b"no")
            connection.request("GET", "/")
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"0 ")
        connection.close()


def test_a_body_in_chunks_is_taken(server: Server) -> None:
    connection = server.connection()
    connection.request("POST", "/", iter([b"a" * 70_000, b"b", b"c" * 7]), encode_chunked=True)
    assert connection.getresponse().read() == b"70008 70008"
    connection.close()


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"POST /api/v1/classify/ HTTP/1.1\r\nContent-Length: 99000000\r\n", 413, "too_large"),
        (
            b"POST /api/v1/classify/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99000000\r\n",
            413,
            "too_large",
        ),
        (
            b"POST /api/ HTTP/1.1\r\nCookie: sessionid=a\r\nContent-Length: 9900000000\r\n",
            413,
            "request_too_large",
        ),
        (b"GET /api/v1/tracks/?q=" + b"a" * 9000 + b" HTTP/1.1\r\n", 414, "address_too_long"),
        (b"GET /api/ HTTP/1.1\r\nAccept: application/json\r\nContent-Length: x\r\n", 400, "bad_request"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(
    server: Server, head: bytes, status: int, code: str
) -> None:
    with server.connect() as client:
        client.sendall(head + b"Host: localhost\r\nAccept-Language: ko\r\n\r\n")
        # More than any buffer between the two holds: the answer outlives what is not read.
        with contextlib.suppress(OSError):
            client.sendall(b"a" * 8_000_000)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == status
        error = json.loads(response.read())["error"]
        assert error["code"] == code
        assert error["message"]
        assert response.headers["Connection"] == "close"


@pytest.mark.slow
def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.connect() as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(Path(f"{server.large}.asked").exists)
        server.process.send_signal(signal.SIGTERM)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert server.process.wait(30) == 0


# --- deadlines ------------------------------------------------------------------------------------------
class Loop:
    """The event loop of one process, turned by hand, and a client of it."""

    def __init__(self) -> None:
        self.map: dict[int, Any] = {}
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = create_server(
            lambda environ, start_response: [], map=self.map, sockets=[listener], threads=1
        )
        self.server.channel_class = Connection
        self.address = listener.getsockname()

    def client(self, sent: bytes) -> socket.socket:
        """Connect and send; return when that has arrived."""
        known = len(self.connections())
        client = socket.create_connection(self.address, timeout=60)
        client.sendall(sent)
        wait_until(lambda: self.turn() and len(self.connections()) > known)
        newest = self.connections()[-1]
        wait_until(lambda: not sent or (self.turn() and newest.request is not None))
        return client

    def turn(self) -> bool:
        wasyncore.loop(timeout=0.01, use_poll=True, map=self.map, count=1)
        return True

    def connections(self) -> list[Connection]:
        return [one for one in self.map.values() if isinstance(one, Connection)]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.server.task_dispatcher.shutdown()
    wasyncore.close_all(made.map)


@pytest.mark.parametrize(
    ("sent", "deadline"),
    [
        (b"", "IDLE_SECONDS"),
        (b"GET / HTTP/1.1\r\nHost:", "HEAD_SECONDS"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "BODY_SECONDS"),
    ],
)
def test_a_client_has_so_long_and_no_longer(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, sent: bytes, deadline: str
) -> None:
    with loop.client(sent) as client:
        end_overdue(loop.connections(), most=10)
        assert len(loop.connections()) == 1
        monkeypatch.setattr(f"genreweb.web_connections.{deadline}", -1.0)
        end_overdue(loop.connections(), most=10)
        assert loop.connections() == []
        assert client.recv(10) == b""


def test_a_body_that_keeps_coming_has_longer(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genreweb.web_connections.BODY_SECONDS", -1.0)
    head = b"POST / HTTP/1.1\r\nAuthorization: a\r\nContent-Length: 900000\r\n\r\n"
    with loop.client(head + b"a" * 500_000):
        (connection,) = loop.connections()
        request = connection.request
        assert request is not None
        wait_until(lambda: loop.turn() and request.body_bytes_received == 500_000)
        end_overdue(loop.connections(), most=10)
        assert loop.connections() == [connection]


def test_where_there_are_too_many_the_oldest_go_first(loop: Loop) -> None:
    with loop.client(b"GET"), loop.client(b"GET"), loop.client(b"GET"):
        oldest = sorted(loop.connections(), key=lambda one: one.waits_since)
        end_overdue(loop.connections(), most=2)
        assert set(loop.connections()) == set(oldest[1:])


@pytest.mark.slow
def test_a_disk_without_room_is_said(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("waitress.buffers.OverflowableBuffer.append", be_full)
    request = Request(loop.server.adj)
    request.received(b"POST /api/ HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    assert request.received(b"a" * 5) == 5
    assert request.completed
    assert (request.error.code, request.error.name) == (507, "storage_full")
