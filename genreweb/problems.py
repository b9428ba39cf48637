"""The body of every error that programs read: a problem (RFC 9457), with the older ``error`` beside it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, message: str, fields: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """Describe an error.

    ``type`` is ``about:blank``, of which the RFC says that ``title`` is the phrase of the status: what went
    wrong exactly stands in ``code`` for programs and in ``detail`` for people. ``error`` holds the same for
    clients that are older than problems.
    """
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        **({"fields": fields} if fields else {}),
        "error": error,
    }
