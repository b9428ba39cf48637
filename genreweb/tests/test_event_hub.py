"""Streams of events as the web server keeps them: many at once beside one thread, each to its own topics."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from redis import ConnectionError as RedisConnectionError
from waitress import create_server, wasyncore

from genreweb import event_answers, event_hub, event_stream
from genreweb.event_answers import BusyError, event_response
from genreweb.event_hub import Hub
from genreweb.web_connections import Connection, end_overdue

MANY = 60


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """Answer /ID with the events of that person, anything else with a word."""
    who = environ["PATH_INFO"].strip("/")
    if not who.isdecimal():
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
    request = WSGIRequest(environ)
    try:
        response = event_response(
            request, topics=[who, "all"], caller=who, heartbeat_event="event: heartbeat\ndata:\n\n"
        )
    except BusyError:
        start_response("503 Busy", [("Content-Length", "0")])
        return []
    start_response("200 OK", list(response.items()))
    return response


class Server:
    """The event loop of a web process with one thread for requests, and its clients."""

    def __init__(self) -> None:
        self.map: dict[int, Any] = {}
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = create_server(application, map=self.map, sockets=[listener], threads=1)
        self.server.channel_class = Connection
        self.address = listener.getsockname()
        self.alive = True
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.alive:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self.map, count=1)
            connections = [one for one in self.map.values() if isinstance(one, Connection)]
            for connection in connections:
                connection.push_events()
            end_overdue(connections, most=500)
        self.server.task_dispatcher.shutdown()
        wasyncore.close_all(self.map)

    def get(self, path: str, after: str = "", method: str = "GET") -> socket.socket:
        client = socket.create_connection(self.address, timeout=30)
        client.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {after}\r\n\r\n".encode()
        )
        return client


def read(client: socket.socket, until: bytes) -> bytes:
    got = b""
    while until not in got:
        piece = client.recv(4096)
        assert piece, got
        got += piece
    return got


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(total=MANY, per_caller=2)
    monkeypatch.setattr(event_answers, "hub", made)
    return made


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    running = Server()
    yield running
    running.alive = False
    running.thread.join()


def wait_until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_many_listen_and_the_only_thread_is_free(server: Server, hub: Hub) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.get(f"/{who}")) for who in range(MANY)]
        for client in clients:
            assert b"retry: 1000" in read(client, b"id: 0-0\n\n")
        assert read(stack.enter_context(server.get("/page")), b"ok").startswith(b"HTTP/1.1 200")
        assert read(stack.enter_context(server.get("/7")), b"\r\n\r\n").startswith(b"HTTP/1.1 503")
        # Each gets what is its own, all get what is for all, and nobody gets somebody else's.
        event_stream.publish(user_id=3, event="track", data={"id": "third"})
        event_stream._publish("all", "run", {"id": "everybody"})
        for who, client in enumerate(clients):
            assert (b"third" in read(client, b'{"id": "everybody"}\n\n')) == (who == 3)
        # Who leaves gives the place back, and is found to be gone without being written to.
        clients[5].close()
        wait_until(lambda: len(hub._started()) == MANY - 1)
        again = stack.enter_context(server.get("/7", after="0-1"))
        assert b"third" not in read(again, b"everybody")


def test_a_stream_lives_by_heartbeats_and_ends_in_time(
    server: Server, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_hub, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(event_hub, "_TICK_SECONDS", 0.1)
    with server.get("/9001") as client:
        read(client, b"event: heartbeat")
        # It is not taken for a connection that nobody uses.
        monkeypatch.setattr("genreweb.web_connections.IDLE_SECONDS", -1.0)
        read(client, b"event: heartbeat")
        monkeypatch.undo()
        monkeypatch.setattr(event_answers, "hub", hub)
        # What a client says meanwhile is not taken for another request.
        client.sendall(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for held in hub._started():
            held.until = 0.0
        rest = read(client, b"0\r\n\r\n")
        assert b"200 OK" not in rest
        assert client.recv(10) == b""
    assert hub._started() == []
    # Without a body there is nothing to keep open for.
    monkeypatch.setattr(event_answers, "THREAD_SECONDS", 0.1)
    with server.get("/9001", method="HEAD") as client:
        read(client, b"\r\n\r\n")
    assert hub._started() == []


def test_a_stream_that_cannot_be_followed_ends(
    server: Server, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(hub, "_connect", away)
    with server.get("/9002") as client:
        assert b"retry" in read(client, b"0\r\n\r\n")
        assert client.recv(10) == b""
    assert hub._started() == []
