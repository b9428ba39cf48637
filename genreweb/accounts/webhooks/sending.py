"""One POST to an address that was checked: signed, short, not redirected, its answer not read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from genreweb.accounts.webhooks.addresses import Target, parse, resolve
from genreweb.accounts.webhooks.errors import WebhookError
from genreweb.version import VERSION

SECONDS = 5.0
"""For connection, TLS, request, and the head of the answer together."""

SECRET_PREFIX = "whsec_"  # noqa: S105  # of every secret, by the specification


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a POST."""

    status: int | None
    error_code: str
    milliseconds: int

    @property
    def arrived(self) -> bool:
        return not self.error_code


def sign(*, secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message as Standard Webhooks 1.0 says (symmetric signatures, ``v1``)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def post(*, address: str, message_id: str, secret: str, body: bytes) -> Answer:
    """Send a message, and say what came of it; raises nothing that the receiver could cause."""
    began = time.monotonic()
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Genreweb/{VERSION}",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret=secret, message_id=message_id, timestamp=timestamp, body=body),
    }
    status, code = None, ""
    try:
        target = parse(address)
        status = _post(target, resolve(target), headers, body)
    except WebhookError as error:
        code = error.code
    if status is not None and not 200 <= status < 300:  # RFC 9110, 15.3
        code = "gone" if status == http.HTTPStatus.GONE else "wrong_answer"
    return Answer(status, code, int((time.monotonic() - began) * 1000))


class _Connection(http.client.HTTPConnection):
    """A connection to an IP address in the name of a host."""

    def __init__(self, target: Target, addresses: list[str]) -> None:
        super().__init__(target.host, target.port, timeout=SECONDS)
        # Else http.client names the port in the header Host.
        self.default_port = 443 if target.secure else 80
        self._target, self._addresses = target, addresses
        self.expired = False

    def connect(self) -> None:
        failed: OSError = OSError("no address")
        for address in self._addresses:
            try:
                self.sock = socket.create_connection((address, self._target.port), self.timeout)
                break
            except OSError as error:
                failed = error
            if self.expired:
                break
        if self.sock is None or self.expired:
            raise failed
        if self._target.secure:
            context = ssl.create_default_context()
            # In two steps, so that `expire` finds the socket on which the handshake goes on.
            self.sock = context.wrap_socket(
                self.sock, server_hostname=self._target.host.rstrip("."), do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def expire(self) -> None:
        """End whatever is going on: time-outs of a socket begin anew with each byte."""
        self.expired = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def _post(target: Target, addresses: list[str], headers: dict[str, str], body: bytes) -> int:
    connection = _Connection(target, addresses)
    deadline = threading.Timer(SECONDS, connection.expire)
    deadline.daemon = True
    deadline.start()
    try:
        connection.connect()
        connection.request("POST", target.path, body=body, headers=headers)
        status = connection.getresponse().status
    except ssl.SSLError:
        raise WebhookError("no_answer" if connection.expired else "no_security") from None
    except (TimeoutError, http.client.HTTPException, ValueError):
        raise WebhookError("no_answer") from None
    except OSError:
        raise WebhookError("no_answer" if connection.expired else "no_connection") from None
    finally:
        deadline.cancel()
        connection.close()
    return status
