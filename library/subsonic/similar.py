"""Methods that find songs by how they sound."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F
from django.utils.translation import gettext

from library.errors import PlaylistError
from library.models import Track
from library.services import paths
from library.services.generating import MOST_SEEDS
from library.services.lens_queries import query_of
from library.services.similar import Neighbour, similar
from library.subsonic import ids
from library.subsonic.calls import Call
from library.subsonic.errors import GENERIC, SubsonicError, not_found
from library.subsonic.items import Items

_OPPOSITE: Final = 2.0
"""The distance between vectors that point in opposite directions, the greatest that there is."""


def get_sonic_similar_tracks(call: Call) -> dict[str, Any]:
    """List the tracks that sound most like one; none for one that has not been analysed."""
    found = _neighbours(call, [call.track()], count=call.parameters.number("count", 10))
    items = Items()
    return {
        "sonicMatch": [
            {"entry": items.song(near.track), "similarity": similarity(near.distance)} for near in found
        ]
    }


def find_sonic_path(call: Call) -> dict[str, Any]:
    """Lead from one song to another; each is compared with the one before it, the first with itself."""
    start, end = call.track("startSongId"), call.track("endSongId")
    most = call.parameters.number("count", 25, most=paths.MOST)
    if most < paths.LEAST:
        sentence = gettext("A path has %(least)d songs at least.")
        raise SubsonicError(GENERIC, sentence % {"least": paths.LEAST})
    if start.current_id is None or end.current_id is None:
        raise SubsonicError(GENERIC, gettext("A path needs songs that have been analysed."))
    try:
        found = paths.find_path(viewer=call.user, start=start, end=end, length=most)
    except PlaylistError as error:
        raise SubsonicError(GENERIC, error.message) from error
    items = Items()
    return {
        "sonicMatch": [
            {"entry": items.song(step.track), "similarity": similarity(step.distance or 0.0)}
            for step in found.steps
        ]
    }


def similarity(distance: float) -> float:
    """Bring a distance, 0 to 2, to the scale of the extension: 1 is the same, 0 the most different."""
    return round(min(1.0, max(0.0, 1 - distance / _OPPOSITE)), 4)


def get_similar_songs(call: Call) -> dict[str, Any]:
    return {"similarSongs": {"song": _songs_like(call)}}


def get_similar_songs2(call: Call) -> dict[str, Any]:
    return {"similarSongs2": {"song": _songs_like(call)}}


def _songs_like(call: Call) -> list[dict[str, Any]]:
    """List songs like a song, or like what the songs of an album or artist have in common."""
    found = _neighbours(call, _seeds(call), count=call.parameters.number("count", 50))
    return Items().songs(near.track for near in found)


def _seeds(call: Call) -> list[Track]:
    key = call.parameters.required("id")
    artist, album = ids.artist_of(key), ids.album_of(key)
    if artist is None and album is None:
        return [call.track()]
    words = {"artist": artist} if album is None else dict(zip(("artist", "album"), album, strict=True))
    tracks = list(
        call.visible.filter(**words).order_by(F("finished_at").desc(nulls_last=True), "pk")[:MOST_SEEDS]
    )
    if not tracks:
        raise not_found()
    return tracks


def _neighbours(call: Call, seeds: list[Track], *, count: int) -> tuple[Neighbour, ...]:
    analysed = [track for track in seeds if track.current_id is not None]
    if not analysed or not count:
        return ()
    return similar(viewer=call.user, query=query_of(analysed), k=count).neighbours
