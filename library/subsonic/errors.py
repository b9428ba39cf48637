"""What a player is told when it cannot have what it asked for, by the codes of the Subsonic API."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext

from library.errors import TrackError

GENERIC: Final = 0
MISSING: Final = 10
CLIENT_TOO_OLD: Final = 20
SERVER_TOO_OLD: Final = 30
WRONG_PASSWORD: Final = 40
NO_SALTED_PASSWORDS: Final = 41
CONFLICTING_AUTHENTICATION: Final = 43
INVALID_KEY: Final = 44
NOT_ALLOWED: Final = 50
NOT_FOUND: Final = 70

_RETRY_SECONDS: Final = 10
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 400, 401, 403, 404
_HTTP_STATUSES: Final = {
    **dict.fromkeys((WRONG_PASSWORD, NO_SALTED_PASSWORDS, INVALID_KEY), _UNAUTHORIZED),
    NOT_ALLOWED: _FORBIDDEN,
    NOT_FOUND: _NOT_FOUND,
}


class SubsonicError(Exception):
    """A call that fails.

    Attributes
    ----------
    code : int
        One of those above.
    message : str
        A sentence for the person at the player.
    status : int
        HTTP status; players expect 200 with nearly every error.
    http_status : int
        The one that HTTP has for such an error, where players expect that.
    help_url : bool
        Whether the answer links to where API tokens are made.
    retry_after : int
        Seconds after which the same call may succeed; 0 where that is not known.
    """

    def __init__(
        self, code: int, message: str, *, status: int = 200, help_url: bool = False, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.http_status = _HTTP_STATUSES.get(code, _BAD_REQUEST) if status == _OK else status
        self.help_url = help_url
        self.retry_after = retry_after


def missing(name: str) -> SubsonicError:
    sentence = gettext("Required parameter is missing: %(name)s.")
    return SubsonicError(MISSING, sentence % {"name": name})


def invalid(name: str) -> SubsonicError:
    sentence = gettext("The parameter %(name)s cannot be understood.")
    return SubsonicError(GENERIC, sentence % {"name": name})


def not_found() -> SubsonicError:
    """Also for what is somebody else's: nobody learns that it exists."""
    return SubsonicError(NOT_FOUND, gettext("The requested data was not found."))


def of_track(error: TrackError) -> SubsonicError:
    """Say what is wrong with a track's sound, or that the site cannot give it now."""
    if error.code == "file_missing":
        return not_found()
    if error.is_ours:
        return SubsonicError(GENERIC, error.message, status=503, retry_after=_RETRY_SECONDS)
    return SubsonicError(GENERIC, error.message)
