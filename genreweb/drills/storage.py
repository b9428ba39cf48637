"""A server of S3 that answers errors, or does not answer, when it is told to."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

from genreweb.drills.faults import Fault
from genreweb.trial import Site

FAULT_SECONDS = 12.0
_ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>A drill.</Message></Error>"


class _Quiet(MotoRequestHandler):
    def log(self, *_line: object) -> None:
        """Print no line for each request."""


class Bucket:
    """A bucket behind HTTP on this machine, for the time of a block."""

    name = "genreweb"

    def __init__(self) -> None:
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._fails = False
        self._answers = threading.Event()
        self._answers.set()
        self.refused = self.hung = 0
        """Requests that met an error, and that had to wait."""
        self._server = ThreadedWSGIServer("127.0.0.1", 0, self._serve, _Quiet)
        # Clients keep connections open, also those that this process has forgotten.
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.environment: Mapping[str, str] = {
            "S3_BUCKET": self.name,
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "S3_ACCESS_KEY_ID": "drill",
            "S3_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "S3_REGION": "us-east-1",
            "S3_ADDRESSING_STYLE": "path",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        boto3.client(
            "s3",
            endpoint_url=self.environment["S3_ENDPOINT_URL"],
            aws_access_key_id=self.environment["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["S3_SECRET_ACCESS_KEY"],
            region_name=self.environment["S3_REGION"],
        ).create_bucket(Bucket=self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.mend()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._fails:
            self.refused += 1
            start_response(
                "500 Internal Server Error",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(_ERROR)))],
            )
            return [_ERROR]
        if not self._answers.is_set():
            self.hung += 1
            self._answers.wait()
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer

    def fail(self, _site: Site | None = None) -> bool:
        """Answer everything with 500."""
        self._fails = True
        return True

    def hang(self, _site: Site | None = None) -> bool:
        """Take requests, and answer none."""
        self._answers.clear()
        return True

    def mend(self) -> None:
        """Answer again, also those that wait."""
        self._fails = False
        self._answers.set()

    def faults(self) -> tuple[Fault, Fault]:
        return (
            Fault("after the storage answered 500", self.fail, mend=self.mend, lasts=FAULT_SECONDS),
            Fault("after the storage hung", self.hang, mend=self.mend, lasts=FAULT_SECONDS),
        )
