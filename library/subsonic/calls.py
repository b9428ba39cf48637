"""One call of a player: who asks, and what for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext

from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.scopes import Scope
from library.models import Track, TrackQuerySet
from library.subsonic import ids
from library.subsonic.errors import not_found
from library.subsonic.parameters import Parameters

MINE: Final = 1
CATALOGUE: Final = 2


@dataclass(frozen=True, slots=True)
class Call:
    """What a method is given."""

    request: HttpRequest
    parameters: Parameters
    user: User
    token: ApiToken

    @property
    def visible(self) -> TrackQuerySet:
        """Every track that the caller may see."""
        return Track.objects.visible_to(self.user).with_verdict()

    @property
    def in_folder(self) -> TrackQuerySet:
        """Of these, the tracks in the music folder that is named, if one is.

        Raises
        ------
        SubsonicError
            There is no such folder.
        """
        folder = self.parameters.text("musicFolderId")
        if not folder:
            return self.visible
        if folder == str(MINE):
            return self.visible.owned_by(self.user)
        if folder == str(CATALOGUE):
            return self.visible.in_catalogue()
        raise not_found()

    def track(self, name: str = "id") -> Track:
        """Find the track that a parameter names.

        Raises
        ------
        SubsonicError
            The parameter is missing, or there is no such track that the caller may see.
        """
        key = ids.uuid_of(self.parameters.required(name))
        track = self.visible.filter(pk=key).first() if key else None
        if track is None:
            raise not_found()
        return track


Answer = Mapping[str, Any] | HttpResponseBase


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API, and what a token needs to call it."""

    function: Callable[[Call], Answer]
    scope: Scope = Scope.READ


def folders() -> list[dict[str, Any]]:
    """Name the music folders."""
    return [{"id": MINE, "name": gettext("Your tracks")}, {"id": CATALOGUE, "name": gettext("Catalogue")}]
