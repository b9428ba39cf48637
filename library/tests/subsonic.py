"""A player that speaks to the OpenSubsonic API, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from genreweb.accounts.models import User
from genreweb.accounts.tokens import create_token


class Player:
    """Calls methods with a token of a person, or without one."""

    def __init__(self, person: User | None = None, *, scopes: Iterable[str] | None = None) -> None:
        self.key = create_token(user=person, scopes=scopes)[1] if person else ""
        self.client = Client()

    def parameters(self, **given: Any) -> dict[str, Any]:
        return {
            "v": "1.16.1",
            "c": "test",
            "f": "json",
            **({"apiKey": self.key} if self.key else {}),
            **given,
        }

    def raw(self, method: str, *, headers: dict[str, str] | None = None, **given: Any) -> HttpResponseBase:
        """Call a method and return the whole response."""
        found: HttpResponseBase = self.client.get(
            f"/rest/{method}", self.parameters(**given), headers=headers
        )
        return found

    def __call__(self, method: str, **given: Any) -> dict[str, Any]:
        """Call a method that succeeds; return what it answers."""
        body = self._body(method, given)
        assert body["status"] == "ok", body
        return body

    def error(self, method: str, **given: Any) -> int:
        """Call a method that fails; return the code of the error."""
        body = self._body(method, given)
        assert body["status"] == "failed", body
        assert body["error"]["message"]
        return int(body["error"]["code"])

    def _body(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        response: Any = self.raw(method, **given)
        assert response.headers["Content-Type"] == "application/json"
        return dict(response.json()["subsonic-response"])


def titles(songs: Iterable[dict[str, Any]]) -> list[str]:
    return [song["title"] for song in songs]
