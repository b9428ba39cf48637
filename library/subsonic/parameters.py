"""The parameters of a call, read from the query and from a form. Every value is anybody's."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, QueryDict, UnreadablePostError

from library.subsonic.errors import invalid, missing

MOST: Final = 500
"""Of anything in a list."""
_MOST_OFFSET: Final = 2**31 - 1
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_FORM: Final = "application/x-www-form-urlencoded"


class Parameters:
    """Typed access to the parameters of one call.

    Raises
    ------
    SubsonicError
        From every method, where a value cannot be used.
    """

    def __init__(self, values: QueryDict) -> None:
        self._values = values

    @classmethod
    def of(cls, request: HttpRequest) -> Parameters:
        """Read the query and, as the extension ``formPost`` has it, a form.

        Raises
        ------
        SubsonicError
            The form cannot be read.
        """
        try:
            values = request.GET.copy()
            if request.method == "POST" and request.content_type == _FORM:
                values.update(request.POST)
        except (BadRequest, SuspiciousOperation, UnreadablePostError) as error:
            raise invalid("POST") from error
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, default)
        # PostgreSQL has no NUL in texts.
        if "\0" in value:
            raise invalid(name)
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def many(self, name: str) -> list[str]:
        return [value for value in self._values.getlist(name) if value]

    def number(self, name: str, default: int, *, most: int = MOST) -> int:
        """Read a whole number; what lies outside 0 to `most` is brought to the nearer end."""
        value = self._number(name)
        return default if value is None else max(0, min(value, most))

    def offset(self, name: str) -> int:
        return self.number(name, 0, most=_MOST_OFFSET)

    def year(self, name: str) -> int | None:
        value = self._number(name)
        return None if value is None else max(0, min(value, 9999))

    def numbers(self, name: str) -> list[int]:
        found = self.many(name)
        if not all(_NUMBER.fullmatch(value) for value in found):
            raise invalid(name)
        return [int(value) for value in found]

    def flag(self, name: str) -> bool | None:
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            raise invalid(name)
        return value == "true" if value else None

    def _number(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        if not _NUMBER.fullmatch(value):
            raise invalid(name)
        return int(value)
