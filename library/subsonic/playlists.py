"""Methods about playlists, which are the site's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from library.errors import PlaylistError
from library.models import Playlist, Track
from library.services import playlists as service
from library.subsonic import ids, items
from library.subsonic.calls import Call
from library.subsonic.errors import GENERIC, NOT_ALLOWED, SubsonicError, not_found
from library.subsonic.items import Items


def get_playlists(call: Call) -> dict[str, Any]:
    """List one's own playlists and those that others share."""
    name = call.parameters.text("username").strip()
    if name and name.casefold() != call.user.email.casefold():
        raise SubsonicError(NOT_ALLOWED, gettext("You may ask about yourself only."))
    rows = service.counted(Playlist.objects.visible_to(call.user), viewer=call.user).order_by("title", "pk")
    return {"playlists": {"playlist": [items.playlist(row, viewer=call.user) for row in rows]}}


def get_playlist(call: Call) -> dict[str, Any]:
    return {"playlist": _described(call, _readable(call, call.parameters.required("id")))}


def create_playlist(call: Call) -> dict[str, Any]:
    """Make a playlist, or put other songs into one."""
    given = call.parameters.text("playlistId")
    songs = _songs(call, "songId")
    with _refusals(), transaction.atomic():
        if given:
            playlist = _writable(call, given)
            service.replace(playlist=playlist, tracks=songs, viewer=call.user)
            if title := call.parameters.text("name"):
                service.edit(playlist=playlist, title=title)
        else:
            title = call.parameters.required("name")
            playlist = service.create(owner=call.user, title=title, tracks=songs)
    return {"playlist": _described(call, playlist)}


def update_playlist(call: Call) -> dict[str, Any]:
    """Rename or share a playlist, take songs out by their places and put others at its end.

    The comment that a player may send is not kept: playlists have none here.
    """
    playlist = _writable(call, call.parameters.required("playlistId"))
    title, shared = call.parameters.text("name") or None, call.parameters.flag("public")
    places, songs = call.parameters.numbers("songIndexToRemove"), _songs(call, "songIdToAdd")
    with _refusals(), transaction.atomic():
        if title is not None or shared is not None:
            service.edit(playlist=playlist, title=title, shared=shared)
        if places:
            service.remove_places(playlist=playlist, places=places, viewer=call.user)
        if songs:
            service.add(playlist=playlist, tracks=songs)
    return {}


def delete_playlist(call: Call) -> dict[str, Any]:
    service.delete(playlist=_writable(call, call.parameters.required("id")))
    return {}


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell a player what the service refuses."""
    try:
        yield
    except PlaylistError as error:
        raise SubsonicError(GENERIC, error.message) from error


def _readable(call: Call, key: str) -> Playlist:
    pk = ids.uuid_of(key)
    playlist = Playlist.objects.visible_to(call.user).filter(pk=pk).first() if pk else None
    if playlist is None:
        raise not_found()
    return playlist


def _writable(call: Call, key: str) -> Playlist:
    playlist = _readable(call, key)
    if playlist.owner_id != call.user.pk:
        raise SubsonicError(NOT_ALLOWED, gettext("Only the owner of a playlist may change it."))
    return playlist


def _songs(call: Call, name: str) -> list[Track]:
    """Find the tracks that a parameter names, in their order."""
    keys = [ids.uuid_of(value) for value in call.parameters.many(name)]
    found = call.visible.in_bulk([key for key in keys if key])
    if any(key not in found for key in keys):
        raise not_found()
    return [found[key] for key in keys if key]


def _described(call: Call, playlist: Playlist) -> dict[str, Any]:
    row = service.counted(Playlist.objects.filter(pk=playlist.pk), viewer=call.user).first()
    if row is None:
        raise not_found()
    songs = service.tracks_of(row, viewer=call.user)
    return {**items.playlist(row, viewer=call.user), "entry": Items().songs(songs)}
