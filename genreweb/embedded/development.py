"""``make dev``: the processes of a site, each started again when the source code that it runs changes."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace

from genreweb.embedded import paths
from genreweb.embedded.preflight import Address
from genreweb.embedded.services import Service, services

SOURCES = ("genreweb", "classifier", "library", "training")
ENVIRONMENT = {"DEBUG": "true"}
_STOP_SECONDS = "8"
"""What a worker gets to end its job before it is killed and started with the new code."""


def development_services(where: Address) -> list[Service]:
    """Give the processes of a site as for `services`, reloading, and with ``DEBUG`` on."""
    return [
        replace(
            service,
            command=_runserver(where) if service.name == "web" else _restarted_on_change(service.command),
            environment={**service.environment, **ENVIRONMENT},
        )
        for service in services(where)
    ]


def _runserver(where: Address) -> list[str]:
    # Django's own server reloads templates and translations too.
    return [sys.executable, "manage.py", "runserver", where.bind]


def _restarted_on_change(command: list[str]) -> list[str]:
    return [
        *(sys.executable, "-m", "watchfiles", "--filter", "python", "--sigint-timeout", _STOP_SECONDS),
        shlex.join(command),
        *(str(paths.REPOSITORY / name) for name in SOURCES),
    ]
