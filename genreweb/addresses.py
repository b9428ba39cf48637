"""Addresses of views that take one UUID, found once and filled in: Django looks each up anew."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, reverse

_SOME: Final = UUID("12345678-90ab-4cde-8f01-234567890abc")


def address_of(view: str, key: UUID) -> str:
    """Give the address of a view whose only argument is `key`.

    Raises
    ------
    django.urls.NoReverseMatch
        If there is no such view.
    """
    before, after = _around(view, get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF)
    return f"{before}{key}{after}"


@lru_cache(maxsize=1_000)
def _around(view: str, _prefix: str, urlconf: str) -> tuple[str, str]:
    before, _found, after = reverse(view, urlconf=urlconf, args=[_SOME]).partition(str(_SOME))
    return before, after
