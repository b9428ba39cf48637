"""Moments on pages in the time zone of the browser, which the script of every page names in a cookie."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "timezone"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_LONGEST = 64
# Programs are told moments in UTC, whoever asks.
_FOR_PROGRAMS = ("/api/", "/rest/")


def browser_time_zone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer each request in the zone that its cookie names; without one, in that of ``TIME_ZONE``."""

    def middleware(request: HttpRequest) -> HttpResponse:
        zone = None if request.path.startswith(_FOR_PROGRAMS) else _zone(request.COOKIES.get(COOKIE, ""))
        with timezone.override(zone):
            return get_response(request)

    return middleware


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # Unknown here, or a folder of zones.
        return None
