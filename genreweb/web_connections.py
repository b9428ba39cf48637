"""Connections of the web server: what a client may send, how long it may take, how it is refused.

Waitress reads requests in one event loop and gives only whole ones to a thread, so that a slow client costs a
socket and no thread. What it lacks is here: deadlines, limits that depend on who asks, answers that programs
understand, and an end of the connection that does not destroy the answer under way.
"""

from __future__ import annotations

import errno
import json
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_lazy
from django.utils.translation.trans_real import parse_accept_lang_header
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, RequestEntityTooLarge

from genreweb import problems

HEAD_SECONDS = 20.0
"""For the head of a request, from its first byte."""
BODY_SECONDS, BODY_BYTES_PER_SECOND = 30.0, 1000.0
"""For its body: so long, and the time that the bytes which have arrived take at the slowest rate allowed."""
IDLE_SECONDS = 15.0
"""Between two requests, and before the first."""
SEND_SECONDS = 60.0
"""Without a byte of the answer taken."""
LINGER_SECONDS = 15.0
"""For a client that goes on sending after it was refused; what arrives is thrown away."""
EVENTS_WAITING_BYTES = 2**20
"""For a client that listens to events and does not read them."""
MAX_FIRST_LINE = 8190
FORM_BYTES = 2**20
"""Room for the form around a file."""


class RefusalError(Error):
    """An answer that the server gives itself: a code for programs and a sentence for people."""

    def __init__(self, code: int, reason: str, name: str, sentence: Any, **params: object) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.name = name
        self._sentence = sentence
        self._params = params

    @property
    def message(self) -> str:
        return str(self._sentence).format(**self._params)


_TOO_LARGE = RefusalError(
    413, "Content Too Large", "request_too_large", gettext_lazy("The request is too large.")
)


def _refusal(error: Error) -> RefusalError:
    """Give what waitress found wrong in the words of the site."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, RequestEntityTooLarge):
        return _TOO_LARGE
    sentence = gettext_lazy("The request could not be understood.")
    return RefusalError(error.code, error.reason, "bad_request", sentence)


class Request(HTTPRequestParser):
    """A request that arrives."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = time.monotonic()
        self._most = adj.max_request_body_size
        self._examined = False

    def received(self, data: bytes) -> int:
        try:
            consumed = int(super().received(data))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            sentence = gettext_lazy(
                "There is no room left to store the file. Tell whoever runs this site, and try again later."
            )
            self._refuse(RefusalError(507, "Insufficient Storage", "storage_full", sentence))
            return len(data)
        if self.headers_finished and self.error is None and not self.empty:
            self._examine()
        return consumed

    def _examine(self) -> None:
        """Refuse what cannot be served, as soon as it shows."""
        if not self._examined:
            self._examined = True
            if len(self.first_line) > MAX_FIRST_LINE:
                sentence = gettext_lazy("The address is too long.")
                return self._refuse(RefusalError(414, "URI Too Long", "address_too_long", sentence))
            if self._is_anonymous():
                self._most = min(self._most, settings.AUDIO_ANONYMOUS_MAX_BYTES + FORM_BYTES)
        if max(self.content_length, self.body_bytes_received) > self._most:
            self._refuse(self._too_large())
        return None

    def _is_anonymous(self) -> bool:
        """Whether nothing in the head says who asks; whether it is true is seen later."""
        return (
            "AUTHORIZATION" not in self.headers
            and f"{settings.SESSION_COOKIE_NAME}=" not in self.headers.get("COOKIE", "")
        )

    def _too_large(self) -> RefusalError:
        if self._most == self.adj.max_request_body_size:
            return _TOO_LARGE
        sentence = gettext_lazy(
            "The file is too large: without an account at most {maximum} MB are accepted. Sign in to send "
            "more."
        )
        maximum = settings.AUDIO_ANONYMOUS_MAX_BYTES // 2**20
        return RefusalError(413, "Content Too Large", "too_large", sentence, maximum=maximum)

    def _refuse(self, error: RefusalError) -> None:
        # Whoever asked whether to go on is answered instead of told to.
        self.error, self.completed, self.expect_continue = error, True, False


class RefusalTask(ErrorTask):
    """Answer a request that the application never sees, in the way of the application."""

    def execute(self) -> None:
        self.channel.refused = True
        refusal = _refusal(self.request.error)
        headers = self.request.headers
        with translation.override(_language(headers.get("ACCEPT_LANGUAGE", ""))):
            message = refusal.message
        path = getattr(self.request, "path", "")
        if path.startswith("/api/") or headers.get("ACCEPT", "") == "application/json":
            kind = problems.MEDIA_TYPE
            text = json.dumps(problems.problem(refusal.code, refusal.name, message))
        else:
            kind, text = "text/plain; charset=utf-8", message
        body = text.encode()
        self.status = f"{refusal.code} {refusal.reason}"
        self.response_headers.append(("Content-Type", kind))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class AnswerTask(WSGITask):
    """Answer a request by the application, which may keep the connection for what it sends later."""

    _start: Callable[[Connection], None] | None = None
    _release: Callable[[], None] | None = None

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["genreweb.keep_open"] = self._keep_open
        return environ

    def _keep_open(self, start: Callable[[Connection], None], release: Callable[[], None]) -> None:
        """Call `start` with the connection once the answer is sent, and `release` once that is closed."""
        self._start, self._release = start, release

    def service(self) -> None:
        kept = False
        try:
            super().service()
            kept = self.channel.events is not None and self.channel.connected
        finally:
            if self._release is not None and not kept:
                self._release()

    def finish(self) -> None:
        if self._start is None or self._release is None or not self.status.startswith("200"):
            super().finish()
            return
        # Neither the end of the body is sent nor the connection closed; it belongs to the event loop now.
        self.close_on_finish = False
        self.channel.keep(Events(chunked=self.chunked_response, release=self._release))
        self._start(self.channel)


class Events:
    """What is still to be sent on a connection that is kept; filled by other threads than the event loop."""

    def __init__(self, *, chunked: bool, release: Callable[[], None]) -> None:
        self.chunked, self.release = chunked, release
        self.pending: deque[bytes] = deque()
        self.ended = False


def _language(header: str) -> str:
    for code, _weight in parse_accept_lang_header(header):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)


class Connection(HTTPChannel):
    """One client's connection."""

    parser_class = Request
    task_class = AnswerTask
    error_task_class = RefusalTask
    request: Request | None = None
    events: Events | None = None
    """Of a connection that is kept to send events."""
    refused = False
    _lingers_until = 0.0

    def waits_for_client(self) -> bool:
        """Whether it is the client's turn, so that closing it interrupts no work."""
        return not self.requests

    @property
    def waits_since(self) -> float:
        return time.monotonic() - self._idle() if self.request is None else self.request.began

    def _idle(self) -> float:
        return time.time() - float(self.last_activity)

    def is_overdue(self) -> bool:
        """Whether the client has had its time."""
        if self._lingers_until:
            return time.monotonic() > self._lingers_until
        if self.total_outbufs_len:
            return self._idle() > SEND_SECONDS
        if self.requests or self.events:
            return False
        request = self.request
        if request is None:
            return self._idle() > IDLE_SECONDS
        taken = time.monotonic() - request.began
        if not request.headers_finished:
            return taken > HEAD_SECONDS
        return taken > BODY_SECONDS + int(request.body_bytes_received) / BODY_BYTES_PER_SECOND

    def received(self, data: bytes) -> bool:
        # Who listens to events has nothing more to say.
        return False if self._lingers_until or self.events else bool(super().received(data))

    # --- events: the first three may be called from any thread ------------------------------------------
    def keep(self, events: Events) -> None:
        """Keep the connection for events; those that come are sent once the thread of its answer is done."""
        self.events = events

    def send_event(self, data: bytes) -> None:
        if self.events is not None:
            size = b"%X\r\n" % len(data) if self.events.chunked else b""
            self.events.pending.append(size + data + (b"\r\n" if self.events.chunked else b""))
            self.server.pull_trigger()

    def end_events(self) -> None:
        if self.events is not None:
            if self.events.chunked:
                self.events.pending.append(b"0\r\n\r\n")
            self.events.ended = True
            self.server.pull_trigger()

    def push_events(self) -> None:
        """Send what has come. Only for the event loop, which alone writes while no thread does."""
        events = self.events
        if events is None or self.requests:
            return
        # In this order: what is appended before the end is seen is sent.
        ended = events.ended
        while events.pending:
            data = events.pending.popleft()
            self.outbufs[-1].append(data)
            self.total_outbufs_len += len(data)
        if self.total_outbufs_len > EVENTS_WAITING_BYTES:
            self.end()
        elif ended:
            self.close_when_flushed = True

    def handle_close(self) -> None:
        if not self.refused or self._lingers_until or not self.connected:
            return self.end()
        # Closing a socket with unread bytes resets the connection, and the answer may be lost with it.
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return self.end()
        self._lingers_until = time.monotonic() + LINGER_SECONDS
        self.will_close = self.close_when_flushed = False
        return None

    def end(self) -> None:
        """Close the connection now; a thread that still writes to it is interrupted."""
        if self.events is not None:
            self.events.release()
        unfinished, self.request = self.request, None
        if unfinished is not None:
            unfinished.close()
        super().handle_close()


def end_overdue(connections: Iterable[Connection], *, most: int) -> None:
    """End what takes too long, and where there are more than `most`, those that keep the server waiting.

    Of these, the ones of the address that has most go first, the oldest before the others.
    """
    kept = []
    for connection in list(connections):
        if connection.is_overdue():
            connection.end()
        else:
            kept.append(connection)
    if len(kept) <= most:
        return
    waiting = [connection for connection in kept if connection.waits_for_client()]
    by_address = Counter(connection.addr[0] for connection in waiting)
    waiting.sort(key=lambda connection: (-by_address[connection.addr[0]], connection.waits_since))
    for connection in waiting[: len(kept) - most]:
        connection.end()
