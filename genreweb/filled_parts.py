"""Parts of pages that are drawn once and then filled in with what differs from reader to reader.

Drawing a small template takes Django a quarter of a millisecond, and a list has dozens. What a part depends
on is its key; a text that it only shows is a slot, which is filled in afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import lru_cache
from html import escape
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_script_prefix, get_urlconf
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language

_MOST_KEPT: Final = 1_000
# Letters and digits alone, so that whatever is done to text leaves them as they are.
_MARK: Final = "Slot7c1f0a9e"
_SLOTS: Final = re.compile(rf"{_MARK}(\d+)E|{_MARK.lower()[4:]}-0000-4000-8000-0000000(\d{{5}})")


def filled(
    template: str,
    slots: Mapping[str, Any],
    depends_on: Mapping[str, Hashable],
    *,
    language: str | None = None,
) -> SafeString:
    """Draw a part of a page.

    Parameters
    ----------
    slots
        Variables of the template that it shows as they are: it tests none but for being there, and passes
        none through a filter. A UUID may also be the argument of an address. What is not safe is escaped.
        The name ``track.title`` is what the template calls so.
    depends_on
        All other variables that it sees. It sees nothing of the page.
    """
    keys = frozenset(name for name, value in slots.items() if type(value) is UUID)
    draw = _pieces.__wrapped__ if settings.DEBUG else _pieces
    pieces = draw(
        template,
        tuple(slots),
        keys,
        tuple(depends_on.items()),
        language or get_language(),
        (get_script_prefix(), get_urlconf()),
    )
    # Of plain text `conditional_escape` does the same, behind a wrapper for what is translated later.
    texts = [
        str(value) if name in keys else escape(value) if type(value) is str else conditional_escape(value)
        for name, value in slots.items()
    ]
    return SafeString("".join([piece if isinstance(piece, str) else texts[piece] for piece in pieces]))


@lru_cache(maxsize=_MOST_KEPT)
def _pieces(
    template: str,
    slots: tuple[str, ...],
    keys: frozenset[str],
    depends_on: tuple[tuple[str, Hashable], ...],
    _language: str | None,
    _addresses: Hashable,
) -> list[str | int]:
    """Draw the part with marks in its slots; give its text in pieces, with the number of the slot between."""
    marks = {
        name: UUID(f"{_MARK.lower()[4:]}-0000-4000-8000-{place:012d}") if name in keys else f"{_MARK}{place}E"
        for place, name in enumerate(slots)
    }
    drawn = get_template(template).render(_nested({**dict(depends_on), **marks}))
    pieces: list[str | int] = []
    end = 0
    for found in _SLOTS.finditer(drawn):
        pieces += [drawn[end : found.start()], int(found[1] or found[2])]
        end = found.end()
    return [*pieces, drawn[end:]]


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make ``{"track": {"title": 1}}`` of ``{"track.title": 1}``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return found
