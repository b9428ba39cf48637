"""How often somebody may ask, and the headers that tell how much of that is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from rest_framework import throttling
from rest_framework.request import Request


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit as it stands after a request: `most` in `window` seconds, of which `left` are left."""

    name: str
    most: int
    window: int
    left: int
    reset: int


class _WithHeaders(throttling.SimpleRateThrottle):
    """Notes on the request what it counted, for `add_headers`."""

    num_requests: int | None
    duration: float | None

    def allow_request(self, request: Request, view: Any) -> bool:
        allowed = super().allow_request(request, view)
        history = getattr(self, "history", None)
        # Nothing was counted where there is no rate, or where the throttle is none of this request's.
        if history is not None and self.num_requests and self.duration:
            oldest = history[-1] if history else self.now
            noted: list[Quota] = request._request.__dict__.setdefault("rate_quotas", [])
            noted.append(
                Quota(
                    name=str(self.scope),
                    most=self.num_requests,
                    window=int(self.duration),
                    left=max(self.num_requests - len(history), 0),
                    reset=max(math.ceil(self.duration - (self.now - oldest)), 0),
                )
            )
        return allowed


class AnonRateThrottle(_WithHeaders, throttling.AnonRateThrottle):
    """Visitors, by the address they come from."""


class UserRateThrottle(_WithHeaders, throttling.UserRateThrottle):
    """People, each by themselves."""


class ScopedRateThrottle(_WithHeaders, throttling.ScopedRateThrottle):
    """What costs more, such as uploads."""


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Write ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers)."""
    quotas: list[Quota] = request.__dict__.get("rate_quotas", [])
    if quotas:
        response["RateLimit-Policy"] = ", ".join(
            f'"{one.name}";q={one.most};w={one.window}' for one in quotas
        )
        response["RateLimit"] = ", ".join(f'"{one.name}";r={one.left};t={one.reset}' for one in quotas)
