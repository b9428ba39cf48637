"""Methods that go through artists, albums and songs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from library.models import TrackQuerySet
from library.subsonic import browsing, ids, items
from library.subsonic.calls import Call
from library.subsonic.errors import not_found
from library.subsonic.items import Items

MOST_ARTISTS: Final = 10_000
"""In an index; by `search3` all can be paged through."""
MOST_ALBUMS: Final = 500
MOST_SONGS: Final = 500
"""Of an album; those without one are together in one that may be long."""


def get_artists(call: Call) -> dict[str, Any]:
    return {"artists": {"ignoredArticles": " ".join(browsing.ARTICLES), "index": _index(call)}}


def get_indexes(call: Call) -> dict[str, Any]:
    newest = call.in_folder.order_by("-created", "pk").values_list("created", flat=True).first()
    modified = 0 if newest is None else int(newest.timestamp() * 1000)
    entry = {"ignoredArticles": " ".join(browsing.ARTICLES), "lastModified": modified}
    return {"indexes": {**entry, "index": _index(call)}}


def _index(call: Call) -> list[dict[str, Any]]:
    letters: dict[str, list[dict[str, Any]]] = {}
    for row in browsing.artists(call.in_folder)[:MOST_ARTISTS]:
        entry = items.artist(row)
        letters.setdefault(browsing.initial(entry["name"]), []).append(entry)
    return [{"name": letter, "artist": found} for letter, found in sorted(letters.items())]


def get_artist(call: Call) -> dict[str, Any]:
    name = ids.artist_of(call.parameters.required("id"))
    return {"artist": _artist(call, name)}


def _artist(call: Call, name: str | None) -> dict[str, Any]:
    rows = [] if name is None else list(browsing.albums(call.visible.filter(artist=name))[:MOST_ALBUMS])
    if not rows:
        raise not_found()
    entry = items.artist({"artist": name, "albums": len(rows)})
    return {**entry, "album": [items.album(row) for row in rows]}


def get_album(call: Call) -> dict[str, Any]:
    row, songs = _album(call, ids.album_of(call.parameters.required("id")))
    return {"album": {**items.album(row), "song": Items().songs(songs)}}


def _album(call: Call, key: tuple[str, str] | None) -> tuple[browsing.Row, TrackQuerySet]:
    if key is None:
        raise not_found()
    tracks = call.visible.filter(artist=key[0], album=key[1])
    row = browsing.albums(tracks).first()
    if row is None:
        raise not_found()
    # Files seldom say the place of a song in its album, and it is not kept.
    return row, tracks.order_by("original_name", "title", "pk")[:MOST_SONGS]


def get_song(call: Call) -> dict[str, Any]:
    return {"song": Items().song(call.track())}


def get_music_directory(call: Call) -> dict[str, Any]:
    """Show an artist or an album to players that know folders only."""
    key = call.parameters.required("id")
    artist = ids.artist_of(key)
    if artist is not None:
        rows = list(browsing.albums(call.visible.filter(artist=artist))[:MOST_ALBUMS])
        if not rows:
            raise not_found()
        name = items.artist({"artist": artist, "albums": 0})["name"]
        return _directory(key, name, [items.album_as_directory(row) for row in rows])
    row, songs = _album(call, ids.album_of(key))
    return _directory(
        key, items.album(row)["name"], Items().songs(songs), parent=ids.artist_id(row["artist"])
    )


def _directory(
    key: str, name: str, children: Iterable[dict[str, Any]], parent: str | None = None
) -> dict[str, Any]:
    entry = {"id": key, "name": name, "child": list(children)}
    return {"directory": entry if parent is None else {**entry, "parent": parent}}


def get_artist_info(call: Call) -> dict[str, Any]:
    """Nothing is known of an artist beside the songs."""
    _artist(call, ids.artist_of(call.parameters.required("id")))
    return {"artistInfo": {}}


def get_artist_info2(call: Call) -> dict[str, Any]:
    return {"artistInfo2": get_artist_info(call)["artistInfo"]}
