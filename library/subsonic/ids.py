"""Ids of songs, albums and artists.

A song's is that of its track. Albums and artists have no rows, they are words of tracks: their ids hold these
words, so that an index finds their tracks.
"""

from __future__ import annotations

import base64
from typing import Final
from uuid import UUID

from library.models import TITLE_LENGTH

_ARTIST, _ALBUM, _PLAYLIST = "ar-", "al-", "pl-"
# Words are one line each.
_BETWEEN: Final = "\n"
_MOST_BYTES: Final = 2 * 4 * TITLE_LENGTH + 1


def artist_id(artist: str) -> str:
    return _ARTIST + _encoded(artist)


def album_id(artist: str, album: str) -> str:
    return _ALBUM + _encoded(f"{artist}{_BETWEEN}{album}")


def playlist_cover_id(playlist: UUID) -> str:
    """An id for the picture of a playlist, which cannot be taken for that of a track."""
    return f"{_PLAYLIST}{playlist}"


def artist_of(text: str) -> str | None:
    """Give the artist that an id means; None if it means none."""
    return _decoded(text.removeprefix(_ARTIST)) if text.startswith(_ARTIST) else None


def album_of(text: str) -> tuple[str, str] | None:
    """Give artist and title of the album that an id means; None if it means none."""
    words = _decoded(text.removeprefix(_ALBUM)) if text.startswith(_ALBUM) else None
    if words is None or _BETWEEN not in words:
        return None
    artist, _, album = words.partition(_BETWEEN)
    return artist, album


def uuid_of(text: str) -> UUID | None:
    """Give the key of a track or playlist; None if it is none."""
    try:
        return UUID(text.removeprefix(_PLAYLIST))
    except ValueError:
        return None


def _encoded(words: str) -> str:
    return base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")


def _decoded(text: str) -> str | None:
    if len(text) > 2 * _MOST_BYTES:
        return None
    try:
        words = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    # PostgreSQL has no NUL in texts.
    return None if "\0" in words else words
