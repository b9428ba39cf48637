"""What browsers may load into a page, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from csp.constants import NONE, SELF


def content_security_policy(*, media: Sequence[str]) -> dict[str, Any]:
    """Give the settings of django-csp; `media` are the origins of sounds and pictures."""
    return {
        "DIRECTIVES": {
            "default-src": [SELF],
            "script-src": [SELF],
            "style-src": [SELF, "'unsafe-inline'"],
            "img-src": [*media, "data:", "blob:"],
            "media-src": [*media, "blob:"],
            "connect-src": [*media, "blob:"],
            "object-src": [NONE],
            "base-uri": [SELF],
            "form-action": [SELF],
            "frame-ancestors": [NONE],
        }
    }
