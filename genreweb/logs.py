"""How log lines are written, and the id of the request that they belong to.

A request's id comes with it, or is made; it is in the answer, in every line that is logged for the request,
in the headers of the tasks that it sends, and so in their lines too.
"""

from __future__ import annotations

import logging
from typing import Any

from django_guid import get_guid
from django_guid.integrations.celery import CeleryIntegration

REQUEST_IDS: dict[str, Any] = {
    "GUID_HEADER_NAME": "X-Request-ID",
    # What is no UUID is replaced: it would be written into logs.
    "VALIDATE_GUID": True,
    "EXPOSE_HEADER": False,
    "INTEGRATIONS": [CeleryIntegration()],
}
FORMATS = ("line", "json")
_OWN_LOGGERS = ("gunicorn.error",)
"""Of libraries that write their lines in a form of their own."""


class RequestId(logging.Filter):
    """Adds ``request_id`` to a record; ``-`` where it belongs to no request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = get_guid() or "-"
        return True


def logging_settings(*, level: int, form: str) -> dict[str, Any]:
    """Give the settings of Python's logging: one line each, or one JSON object each, on standard error."""
    loggers: dict[str, Any] = {
        "django.request": {"level": "ERROR"},
        # Says which id each request has, whose own lines do.
        "django_guid": {"level": "ERROR"},
        # A line for each search, where a second engine for vectors is asked.
        "httpx": {"level": "WARNING"},
    }
    if form == "json":
        own = {"handlers": ["console"], "level": level, "propagate": False}
        loggers |= dict.fromkeys(_OWN_LOGGERS, own)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestId}},
        "formatters": {
            "line": {"format": "{asctime} {levelname:<7} [{request_id}] {name}: {message}", "style": "{"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{levelname}{name}{request_id}{process}{message}",
                "style": "{",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": "time",
            },
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request_id"]}
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": loggers,
    }
