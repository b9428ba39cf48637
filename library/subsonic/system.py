"""Methods about the server and the account."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from genreweb.accounts.scopes import Scope
from library.services import copies
from library.subsonic.calls import CATALOGUE, MINE, Call, folders
from library.subsonic.errors import NOT_ALLOWED, SubsonicError

EXTENSIONS = ("apiKeyAuthentication", "formPost", "sonicSimilarity")
OF_COPIES = ("transcodeOffset", "transcoding")
"""Where copies in other formats are made."""


def extensions() -> dict[str, Any]:
    """Name the extensions of OpenSubsonic that this server has; anybody may ask."""
    names = (*EXTENSIONS, *OF_COPIES) if copies.are_made() else EXTENSIONS
    return {"openSubsonicExtensions": [{"name": name, "versions": [1]} for name in names]}


def ping(call: Call) -> dict[str, Any]:
    return {}


def get_license(call: Call) -> dict[str, Any]:
    """Answer that the server may be used: players of the time when servers were sold ask."""
    return {"license": {"valid": True}}


def token_info(call: Call) -> dict[str, Any]:
    return {"tokenInfo": {"username": call.user.email}}


def get_user(call: Call) -> dict[str, Any]:
    """Say what the token may do. Nobody is told of anybody else, nor whether they exist."""
    if call.parameters.required("username").strip().casefold() != call.user.email.casefold():
        raise SubsonicError(NOT_ALLOWED, gettext("You may ask about yourself only."))
    no_role = ("admin", "settings", "upload", "coverArt", "comment", "podcast", "jukebox", "share")
    return {
        "user": {
            "username": call.user.email,
            "email": call.user.email,
            "scrobblingEnabled": False,
            **{f"{role}Role": False for role in (*no_role, "videoConversion")},
            "downloadRole": True,
            "streamRole": True,
            "playlistRole": Scope.UPLOAD in call.token.scopes,
            "folder": [MINE, CATALOGUE],
        }
    }


def get_music_folders(call: Call) -> dict[str, Any]:
    return {"musicFolders": {"musicFolder": folders()}}


def get_scan_status(call: Call) -> dict[str, Any]:
    return {"scanStatus": {"scanning": False, "count": call.visible.count()}}


def scrobble(call: Call) -> dict[str, Any]:
    """Take note of nothing: what people listen to is not stored here. The song must exist."""
    call.track()
    return {}


def get_starred(call: Call) -> dict[str, Any]:
    """Nothing is starred: the site keeps no stars."""
    return {"starred": {}}


def get_starred2(call: Call) -> dict[str, Any]:
    return {"starred2": {}}
