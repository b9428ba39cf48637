"""Songs, albums, artists and playlists as players are told them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.media_types import media_type
from library.models import Playlist, Track
from library.subsonic import ids

_REPLAY_GAIN_LUFS: Final = -18.0
"""The loudness to which ReplayGain 2.0 brings a track."""

Item = dict[str, Any]


class Items:
    """Makes the items of one answer; what they have in common is looked up once."""

    @cached_property
    def genres(self) -> Mapping[str, str]:
        """Name of each genre by its label. Not translated: players ask for songs by it later."""
        return dict(Genre.objects.values_list("slug", "name"))

    def songs(self, tracks: Iterable[Track]) -> list[Item]:
        return [self.song(track) for track in tracks]

    def song(self, track: Track) -> Item:
        """Describe a track that was read with its verdict."""
        genre = self.genres.get(track.listed_genre, track.listed_genre)
        suffix = _suffix(str(track.sound.name))
        artist = _artist_name(track.artist)
        album = _album_name(track.album)
        parts = [part.replace("/", "_") for part in (artist, album, f"{track.title}.{suffix}")]
        item = {
            "id": str(track.pk),
            "parent": ids.album_id(track.artist, track.album),
            "isDir": False,
            "title": track.title,
            "album": album,
            "artist": artist,
            "year": track.year,
            "genre": genre or None,
            "coverArt": str(track.pk) if track.cover or track.current_id else None,
            "size": track.size,
            "contentType": media_type(str(track.sound.name)),
            "suffix": suffix,
            "duration": _seconds(track.duration),
            "bitRate": round(track.size * 8 / track.duration / 1000) if track.duration else None,
            "samplingRate": track.sample_rate,
            "channelCount": track.channels,
            "path": "/".join(parts),
            "isVideo": False,
            "created": track.created.isoformat(),
            "albumId": ids.album_id(track.artist, track.album),
            "artistId": ids.artist_id(track.artist),
            "type": "music",
            "mediaType": "song",
            "displayArtist": artist,
            "artists": [{"id": ids.artist_id(track.artist), "name": artist}],
            "genres": [{"name": genre}] if genre else [],
        }
        if track.rendition:
            played = str(track.rendition.name)
            item |= {"transcodedContentType": media_type(played), "transcodedSuffix": _suffix(played)}
        return _known({**item, **_measured(track)})


def _measured(track: Track) -> Item:
    """Tempo and loudness, as far as the track's analysis has them."""
    analysis = track.current
    if analysis is None:
        return {}
    gain = {
        "trackGain": None if analysis.loudness is None else round(_REPLAY_GAIN_LUFS - analysis.loudness, 2),
        "trackPeak": None if analysis.true_peak is None else round(10 ** (analysis.true_peak / 20), 6),
    }
    return {
        "bpm": None if analysis.tempo is None else round(analysis.tempo),
        "replayGain": _known(gain) or None,
    }


def album(row: Mapping[str, Any]) -> Item:
    """Describe a row of `browsing.albums`."""
    key = ids.album_id(row["artist"], row["album"])
    artist = _artist_name(row["artist"])
    return _known(
        {
            "id": key,
            "name": _album_name(row["album"]),
            "artist": artist,
            "artistId": ids.artist_id(row["artist"]),
            "displayArtist": artist,
            "coverArt": key,
            "songCount": row["songs"],
            "duration": _seconds(row["seconds"]) or 0,
            "created": row["added"].isoformat(),
            "year": row["newest"],
        }
    )


def album_as_directory(row: Mapping[str, Any]) -> Item:
    """Describe an album to players that know folders only."""
    entry = album(row)
    title = entry.pop("name")
    return {**entry, "parent": entry["artistId"], "isDir": True, "title": title, "album": title}


def artist(row: Mapping[str, Any]) -> Item:
    """Describe a row of `browsing.artists`."""
    key = ids.artist_id(row["artist"])
    return {"id": key, "name": _artist_name(row["artist"]), "coverArt": key, "albumCount": row["albums"]}


def playlist(found: Playlist, *, viewer: User) -> Item:
    """Describe a row of `services.playlists.counted`."""
    mine = found.owner_id == viewer.pk
    # Others are not told when a playlist changed; a player must think that it just did.
    changed, created = (found.changed, found.created) if mine else (timezone.now(), timezone.now())
    return {
        "id": str(found.pk),
        "name": found.title,
        "owner": viewer.email if mine else found.owner.display_name,
        "public": found.shared,
        "readonly": not mine,
        "songCount": getattr(found, "count"),  # noqa: B009  # annotated
        "duration": _seconds(getattr(found, "seconds")) or 0,  # noqa: B009  # annotated
        "created": created.isoformat(),
        "changed": changed.isoformat(),
        "coverArt": ids.playlist_cover_id(found.pk),
    }


def _artist_name(name: str) -> str:
    return name or gettext("Unknown artist")


def _album_name(title: str) -> str:
    return title or gettext("Unknown album")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.removeprefix(".")


def _seconds(duration: float | None) -> int | None:
    return None if duration is None else round(duration)


def _known(item: Item) -> Item:
    return {name: value for name, value in item.items() if value is not None}
