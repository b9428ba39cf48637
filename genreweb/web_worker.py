"""The web server's process: gunicorn starts it and starts it again, waitress speaks HTTP in it.

Gunicorn's own threads read requests themselves, so that sixteen clients who send slowly hold up everybody.
Here one event loop reads all of them, and a thread is given only what has arrived as a whole.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import threading
import time
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker
from waitress import create_server, wasyncore
from waitress.server import BaseWSGIServer

from genreweb.warm_up import start_decoder
from genreweb.web_connections import Connection, end_overdue

CONNECTIONS = 1000
"""Of one process at a time."""
MAX_HEAD_BYTES = 32 * 1024
MEMORY_BYTES = 64 * 1024
"""Of a request or an answer before the rest goes to a temporary file."""
PENDING_ANSWER_BYTES = 128 * 2**20
"""How much of an answer may wait for a client who reads slowly before the thread that makes it waits too."""


class BufferingWorker(Worker):
    """Reads whole requests in one loop, answers them in threads."""

    def run(self) -> None:
        # What the application consists of stays: looking all of it through costs a tenth of a second.
        gc.freeze()
        most = _raise_descriptors(CONNECTIONS)
        threading.Thread(target=start_decoder, daemon=True).start()
        self._map: dict[int, Any] = {}
        self._server = create_server(
            self.wsgi,
            map=self._map,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            server_name=self.cfg.address[0][0] if isinstance(self.cfg.address[0], tuple) else "localhost",
            ident=None,
            # The application reads them where there is a proxy; elsewhere anybody could have written them.
            clear_untrusted_proxy_headers=not settings.BEHIND_PROXY,
            asyncore_use_poll=True,
            connection_limit=most,
            # Connections are ended here, by `end_overdue`.
            channel_timeout=24 * 3600,
            max_request_header_size=MAX_HEAD_BYTES,
            # It may hold several files.
            max_request_body_size=max(
                2**30, 2 * settings.AUDIO_MAX_BYTES, settings.UPLOAD_BATCH_MAX_BYTES + 2**20
            ),
            recv_bytes=MEMORY_BYTES,
            inbuf_overflow=MEMORY_BYTES,
            outbuf_overflow=2**20,
            outbuf_high_watermark=PENDING_ANSWER_BYTES,
            log_socket_errors=False,
        )
        # That requests wait for a thread is no news.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        listeners = [one for one in self._map.values() if isinstance(one, BaseWSGIServer)]
        for listener in listeners:
            listener.channel_class = Connection
        self._serve(most=most - most // 10)
        for listener in listeners:
            listener.del_channel()
        self._finish(listeners[0].task_dispatcher)

    def _serve(self, *, most: int) -> None:
        looked = time.monotonic()
        while self.alive:
            self.notify()
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            for connection in self._connections():
                connection.push_events()
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                end_overdue(self._connections(), most=most)
                if self.ppid != os.getppid():
                    self.log.info("Parent changed, shutting down: %s", self)
                    return

    def _finish(self, dispatcher: Any) -> None:
        """Give what is under way the time that it is promised."""
        end = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < end and any(
            connection.requests or connection.request or connection.total_outbufs_len
            for connection in self._connections()
        ):
            self.notify()
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
        dispatcher.shutdown(timeout=1)

    def _connections(self) -> list[Connection]:
        return [one for one in self._map.values() if isinstance(one, Connection)]

    def handle_exit(self, sig: int, frame: object) -> None:
        super().handle_exit(sig, frame)
        if hasattr(self, "_server"):
            self._server.pull_trigger()


def _raise_descriptors(connections: int) -> int:
    """Allow for a socket and a file per connection; return how many connections there may be."""
    spare = 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + spare
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(20, min(connections, (soft - spare) // 2))
