"""Methods that list and search: albums, genres, songs by chance, by genre and by words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db.models import Count

from classifier.genre_names import genre_for
from library.models import TrackQuerySet
from library.subsonic import browsing, items
from library.subsonic.browsing import Row
from library.subsonic.calls import Call
from library.subsonic.errors import invalid, missing
from library.subsonic.items import Items

_NOTHING: Final = ("highest", "frequent", "recent", "starred")
"""Lists by what people played or rated, of which nothing is stored."""


def get_album_list2(call: Call) -> dict[str, Any]:
    return {"albumList2": {"album": [items.album(row) for row in _albums(call)]}}


def get_album_list(call: Call) -> dict[str, Any]:
    return {"albumList": {"album": [items.album_as_directory(row) for row in _albums(call)]}}


def _albums(call: Call) -> list[Row]:
    kind = call.parameters.required("type")
    size, offset = call.parameters.number("size", 10), call.parameters.offset("offset")
    tracks = call.in_folder
    if kind in _NOTHING:
        return []
    if kind == "random":
        return browsing.random_albums(tracks, size)
    orders: dict[str, Callable[[Call, browsing.Rows], browsing.Rows]] = {
        "newest": lambda _call, rows: browsing.newest_first(rows),
        "alphabeticalByName": lambda _call, rows: browsing.by_title(rows),
        "alphabeticalByArtist": lambda _call, rows: rows,
        "byYear": _of_years,
        "byGenre": _of_genre,
    }
    if kind not in orders:
        raise invalid("type")
    return list(orders[kind](call, browsing.albums(tracks))[offset : offset + size])


def _of_years(call: Call, rows: browsing.Rows) -> browsing.Rows:
    first, last = (call.parameters.year(name) for name in ("fromYear", "toYear"))
    if first is None or last is None:
        raise missing("fromYear" if first is None else "toYear")
    return browsing.between_years(rows, first, last)


def _of_genre(call: Call, rows: browsing.Rows) -> browsing.Rows:
    return browsing.with_genre(rows, _genre(call.parameters.required("genre")))


def _genre(name: str) -> str:
    """Give the label that a genre's name means, in any language; one that cannot be found where none does."""
    found = genre_for(name)
    return found.slug if found else name


def get_genres(call: Call) -> dict[str, Any]:
    rows = call.visible.select_related(None).exclude(listed_genre="").order_by().values("listed_genre")
    counted = rows.annotate(songs=Count("pk"), albums=Count("album", distinct=True)).order_by("listed_genre")
    names = Items().genres
    genres = [
        {
            "value": names.get(row["listed_genre"], row["listed_genre"]),
            "songCount": row["songs"],
            "albumCount": row["albums"],
        }
        for row in counted
    ]
    return {"genres": {"genre": genres}}


def get_songs_by_genre(call: Call) -> dict[str, Any]:
    label = _genre(call.parameters.required("genre"))
    count, offset = call.parameters.number("count", 10), call.parameters.offset("offset")
    tracks = call.in_folder.filter(listed_genre=label).order_by("title", "pk")
    return {"songsByGenre": {"song": Items().songs(tracks[offset : offset + count])}}


def get_random_songs(call: Call) -> dict[str, Any]:
    tracks = _between(call, call.in_folder)
    if name := call.parameters.text("genre"):
        tracks = tracks.filter(listed_genre=_genre(name))
    found = browsing.random_songs(tracks, call.parameters.number("size", 10))
    return {"randomSongs": {"song": Items().songs(found)}}


def _between(call: Call, tracks: TrackQuerySet) -> TrackQuerySet:
    first, last = (call.parameters.year(name) for name in ("fromYear", "toYear"))
    if first is not None:
        tracks = tracks.filter(year__gte=first)
    return tracks if last is None else tracks.filter(year__lte=last)


def search3(call: Call) -> dict[str, Any]:
    """Search; without words everything is found, page by page."""
    found = _search(call)
    return {"searchResult3": {**found, "album": [items.album(row) for row in found["album"]]}}


def search2(call: Call) -> dict[str, Any]:
    found = _search(call)
    return {"searchResult2": {**found, "album": [items.album_as_directory(row) for row in found["album"]]}}


def _search(call: Call) -> dict[str, Any]:
    if "query" not in call.parameters:
        raise missing("query")
    words = browsing.words_of(call.parameters.text("query"))
    tracks = call.in_folder

    def page(rows: Any, kind: str) -> list[Any]:
        count, offset = call.parameters.number(f"{kind}Count", 20), call.parameters.offset(f"{kind}Offset")
        return list(rows[offset : offset + count]) if count else []

    artists = browsing.artists(browsing.named(tracks, "artist", words, viewer=call.user))
    albums = browsing.albums(browsing.named(tracks, "album", words, viewer=call.user))
    songs = browsing.songs_with(tracks, words, viewer=call.user)
    return {
        "artist": [items.artist(row) for row in page(artists, "artist")],
        "album": page(albums, "album"),
        "song": Items().songs(page(songs, "song")),
    }
