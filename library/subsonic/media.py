"""Methods that hand out files: sounds and pictures."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import content_disposition_header

from genreweb.media import serve
from genreweb.storage import download_url
from library.models import Playlist, Track, TrackQuerySet
from library.services import playlists
from library.subsonic import ids
from library.subsonic.calls import Call
from library.subsonic.errors import not_found
from library.subsonic.pictures import scaled

_AS_IT_IS: Final = "raw"
_MOST_BIT_RATE: Final = 2**31 - 1
_MOST_SIDE: Final = 2**15


def stream(call: Call) -> HttpResponseBase:
    """Send a sound; what browsers cannot play is sent as they can, unless it is asked for as it is.

    Nothing is encoded for a player: ``format`` and ``maxBitRate`` choose among the files that the site has.
    """
    track = call.track()
    wanted = call.parameters.text("format").lower()
    most = call.parameters.number("maxBitRate", 0, most=_MOST_BIT_RATE)
    return _sent(call, track.sound if wanted == _AS_IT_IS else _file_for(track, wanted, most))


def _file_for(track: Track, wanted: str, most: int) -> FieldFile:
    """Choose a file of the wanted format and of at most so many kbit/s (0: any), as near as there is one."""
    if not track.rendition:
        return track.sound
    files = [track.rendition, track.sound]
    files = [file for file in files if _suffix(file) == wanted] or files
    if len(files) == 1 or not most or not track.duration:
        return files[0]
    # Bytes of the whole file: a stored size costs no look at what is in it.
    largest = most * 1000 / 8 * track.duration
    sizes = {file: track.size if file is track.sound else _size(file) for file in files}
    return next((file for file in files if sizes[file] <= largest), min(files, key=sizes.__getitem__))


def download(call: Call) -> HttpResponseBase:
    """Send the file that somebody gave, unchanged, under the title of its track."""
    track = call.track()
    filename = f"{track.title}.{_suffix(track.sound)}".replace("/", "_")
    return _sent(call, track.sound, filename=filename)


def get_cover_art(call: Call) -> HttpResponseBase:
    """Send the cover of a song, else a picture of its sound; an album, artist or playlist has a song's.

    With ``size`` its longest side is at most so many pixels.
    """
    track = _pictured(call, call.parameters.required("id"))
    if track is None:
        raise not_found()
    picture = track.cover or (track.current.mel if track.current else None)
    if not picture:
        raise not_found()
    side = call.parameters.number("size", 0, most=_MOST_SIDE)
    return (_smaller(picture, side) if side else None) or _sent(call, picture)


def _smaller(picture: FieldFile, side: int) -> HttpResponse | None:
    try:
        with picture.open("rb") as file:
            found = scaled(file.read(), side)
    except OSError:
        return None
    if found is None:
        return None
    content, content_type = found
    return HttpResponse(
        content,
        content_type=content_type,
        headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
    )


def _pictured(call: Call, key: str) -> Track | None:
    """Find the track whose picture is meant; among several one that has a cover."""
    artist, album = ids.artist_of(key), ids.album_of(key)
    if album is not None:
        tracks = call.visible.filter(artist=album[0], album=album[1])
    elif artist is not None:
        tracks = call.visible.filter(artist=artist)
    else:
        pk = ids.uuid_of(key)
        playlist = Playlist.objects.visible_to(call.user).filter(pk=pk).first() if pk else None
        if playlist is None:
            return call.visible.filter(pk=pk).first() if pk else None
        tracks = playlists.tracks_of(playlist, viewer=call.user)
    return _first_with_picture(tracks)


def _first_with_picture(tracks: TrackQuerySet) -> Track | None:
    """Give the first that has a cover, else the first that has been analysed."""
    covered = tracks.exclude(cover="").first()
    return covered or tracks.filter(current__isnull=False).first()


def _suffix(file: FieldFile) -> str:
    return PurePosixPath(str(file.name)).suffix.removeprefix(".").lower()


def _size(file: FieldFile) -> int:
    try:
        return int(file.size)
    except OSError as error:
        raise not_found() from error


def _sent(call: Call, file: FieldFile, *, filename: str = "") -> HttpResponseBase:
    name = str(file.name)
    if settings.S3_BUCKET:
        # The bucket sends ranges by itself; through this process each would be the whole file.
        return HttpResponseRedirect(download_url(name, filename) if filename else default_storage.url(name))
    try:
        response = serve(call.request, name)
    except Http404 as error:
        raise not_found() from error
    if filename and (disposition := content_disposition_header(as_attachment=True, filename=filename)):
        response["Content-Disposition"] = disposition
    return response
