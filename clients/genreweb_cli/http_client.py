"""Requests to the API of a site, repeated where the connection or the site is away for a while."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

API = "/api/v1"
_AWAY = (429, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCK = 1 << 16
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_TIMEOUT_SECONDS = 120.0


class ApiError(Exception):
    """The site refused a request.

    Attributes
    ----------
    status : int
    code : str
        For programs, such as ``not_audio``; empty where the answer had none.
    message : str
        For people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class UnreachableError(Exception):
    """The site was away for too long, or cannot be reached at all."""


@dataclass
class Client:
    """A site and the token of a person there.

    Attributes
    ----------
    site : str
        Its address, such as ``https://music.example.org``.
    patience : float
        Seconds for which a request is repeated while the site is away.
    say : callable
        Is told, in a sentence, why there is a pause.
    """

    site: str
    token: str = ""
    patience: float = 600.0
    say: Callable[[str], None] = lambda text: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _base: str = field(init=False, default="")

    def __post_init__(self) -> None:
        parts = urlsplit(self.site)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnreachableError(f"{self.site!r} is no address that begins with http:// or https://.")
        self._base = parts.path.rstrip("/") + API

    # --- requests ---------------------------------------------------------------------------------------
    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Ask for JSON."""
        return self._json("GET", path + _query(query))

    def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """Send JSON."""
        body = json.dumps(data).encode()
        return self._json("POST", path, lambda: body, {"Content-Type": "application/json"})

    def delete(self, path: str) -> None:
        self._json("DELETE", path)

    def upload(self, file: Path, *, on_bytes: Callable[[int], None] = lambda sent: None) -> Any:
        """Send a file as a new track, as it lies on the disk, without holding it in memory.

        The site knows a file that it has already, so a repeated request makes no second track.
        """
        boundary = secrets.token_hex(16)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._json("POST", "/tracks/", lambda: _Form(file, boundary, on_bytes), headers)

    def download(self, path: str, target: IO[bytes], query: Mapping[str, Any] | None = None) -> None:
        """Write an answer into `target`, from its start in each attempt."""

        def take(response: http.client.HTTPResponse) -> None:
            with _on_disk():
                target.seek(0)
                target.truncate()
            expected = response.length
            while block := response.read(_BLOCK):
                with _on_disk():
                    target.write(block)
            if expected is not None and target.tell() < expected:
                raise ConnectionResetError("the connection was lost within the answer")

        self._attempts("GET", path + _query(query), None, {}, take)

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> list[Any]:
        """Ask for all pages of a list."""
        found: list[Any] = []
        number = 1
        while True:
            page = self.get(path, {**(query or {}), "page": number, "page_size": 100})
            found += page["results"]
            if not page["next"]:
                return found
            number += 1

    # --- attempts ---------------------------------------------------------------------------------------
    def _json(
        self,
        method: str,
        path: str,
        body: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        def take(response: http.client.HTTPResponse) -> Any:
            content = response.read()
            try:
                return json.loads(content) if content else None
            except ValueError as error:
                raise ApiError(response.status, "", f"{self.site} does not answer as Genreweb.") from error

        return self._attempts(method, path, body, dict(headers or {}), take)

    def _attempts(
        self,
        method: str,
        path: str,
        body: Callable[[], Any] | None,
        headers: dict[str, str],
        take: Callable[[http.client.HTTPResponse], Any],
    ) -> Any:
        until = self.clock() + self.patience
        pause = _FIRST_PAUSE
        while True:
            wished = 0.0
            try:
                return self._once(method, path, body() if body else None, headers, take)
            except ssl.SSLCertVerificationError as error:
                raise UnreachableError(f"The certificate of {self.site} is not trusted: {error}.") from error
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, _LocalFileError):
                    raise
                reason = str(error) or type(error).__name__
            except _AwayError as error:
                reason, wished = error.reason, error.retry_after
            seconds = max(wished, pause * random.uniform(0.75, 1.25))  # noqa: S311  spreads clients, no secret
            if self.clock() + seconds > until:
                raise UnreachableError(f"{self.site}: {reason}")
            self.say(f"{reason} — trying again in {seconds:.0f} s.")
            self.sleep(seconds)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _once(
        self,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str],
        take: Callable[[http.client.HTTPResponse], Any],
    ) -> Any:
        if isinstance(body, _Form):
            headers = {**headers, "Content-Length": str(body.size)}
        if self.token:
            headers = {**headers, "Authorization": f"Bearer {self.token}"}
        connection = self._connection()
        try:
            # A file that is refused is answered before all of it was sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self._base + path, body, {"Accept": "*/*", **headers})
            response = connection.getresponse()
            if response.status >= 300:
                self._refuse(response)
            return take(response)
        finally:
            connection.close()
            if isinstance(body, _Form):
                body.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.site)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_SECONDS, blocksize=_BLOCK)

    def _refuse(self, response: http.client.HTTPResponse) -> None:
        if response.status in _REDIRECTS:
            # Followed, it would take the token elsewhere.
            place = response.headers.get("Location", "another address")
            raise ApiError(response.status, "redirected", f"The site sends to {place}: give its own address.")
        code, message = _error_of(response)
        if response.status in _AWAY:
            raise _AwayError(message, _seconds(response.headers.get("Retry-After", "")))
        raise ApiError(response.status, code, message)


class _AwayError(Exception):
    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


class _LocalFileError(OSError):
    """The file that is sent or saved cannot be read or written: no fault of the connection."""


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    """Tell faults of this machine's files, which are not tried again, from those of the connection."""
    try:
        yield
    except OSError as error:
        raise _LocalFileError(error.errno, error.strerror) from error


class _Form:
    """A file as a multipart form, read piece by piece."""

    def __init__(self, path: Path, boundary: str, on_bytes: Callable[[int], None]) -> None:
        with _on_disk():
            self._file = path.open("rb")
        # As browsers do (HTML standard, multipart/form-data encoding); bytes that are no text are replaced.
        plain = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        name = plain.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head, self._tail = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        self._left = os.fstat(self._file.fileno()).st_size
        self._on_bytes = on_bytes
        self._sent = 0
        self.size = len(self._head) + self._left + len(self._tail)

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._left:
            with _on_disk():
                block = self._file.read(min(size, self._left))
            if not block:
                raise _LocalFileError(0, "the file became shorter while it was sent")
            self._left -= len(block)
            self._sent += len(block)
            self._on_bytes(self._sent)
            return block
        tail, self._tail = self._tail, b""
        return tail

    def close(self) -> None:
        self._file.close()


def _query(query: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value not in (None, "", [])}
    return f"?{urlencode(given, doseq=True, quote_via=quote)}" if given else ""


def _error_of(response: http.client.HTTPResponse) -> tuple[str, str]:
    """Read an error: `{"error": {code, message}}`, or `application/problem+json` (RFC 9457)."""
    try:
        said = json.loads(response.read())
    except (ValueError, OSError, http.client.HTTPException):
        said = None
    found = said if isinstance(said, dict) else {}
    inner = found["error"] if isinstance(found.get("error"), dict) else found
    message = inner.get("message") or inner.get("detail") or f"{response.status} {response.reason}"
    return str(inner.get("code") or ""), str(message)


def _seconds(retry_after: str) -> float:
    """Read ``Retry-After``: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
