"""Methods that hand out files: sounds and pictures."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header

from genreweb.media import serve
from genreweb.media_types import media_type
from genreweb.storage import download_url
from library.errors import TrackError
from library.models import Playlist, Track, TrackQuerySet
from library.services import copies, playlists
from library.subsonic import ids
from library.subsonic.calls import Call
from library.subsonic.errors import not_found, of_track
from library.subsonic.formats import AS_IT_IS, Encoded, chosen, chosen_of_those_there, suffix
from library.subsonic.pictures import scaled

_MOST_BIT_RATE: Final = 2**31 - 1
MOST_SECONDS: Final = 10**6
_MOST_SIDE: Final = 2**15
_WHOLE: Final = "bytes=0-"
_NOT_BY_RANGE: Final = {
    "Accept-Ranges": "none",
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
}


def stream(call: Call) -> HttpResponseBase:
    """Send a sound: as it is, as browsers can play it, or in the format and bit rate that is asked for."""
    track = call.track()
    wanted = call.parameters.text("format").lower()
    most = call.parameters.number("maxBitRate", 0, most=_MOST_BIT_RATE)
    offset = call.parameters.number("timeOffset", 0, most=MOST_SECONDS)
    if wanted == AS_IT_IS:
        return _sent(call, track.sound)
    if not copies.are_made():
        return _sent(call, chosen_of_those_there(track, wanted, most))
    offset = seconds_later(track, offset)
    found = chosen(track, wanted, most, later=offset > 0)
    return encoded(call, track, found, offset) if isinstance(found, Encoded) else _sent(call, found)


def seconds_later(track: Track, offset: int) -> int:
    """Bring an offset into a sound: the last second is there for whoever asks for what follows."""
    return min(offset, max(0, int(track.duration or 0) - 1))


def encoded(call: Call, track: Track, wanted: Encoded, offset: int) -> HttpResponseBase:
    """Send a copy, by range if that is asked for; or what follows after some seconds of it.

    Who asks for all of it and not for its length is sent what there is while it is encoded.
    """
    needs_all = offset or _needs_length(call)
    wait_for = copies.file_of if needs_all else copies.stream_of
    caller = f"user {call.user.pk}"
    try:
        found = wait_for(track=track, target=wanted.target, bit_rate=wanted.bit_rate, caller=caller)
        if isinstance(found, str) and offset:
            content = copies.part_of(name=found, target=wanted.target, start=float(offset))
            return HttpResponse(content, content_type=media_type(found), headers=_NOT_BY_RANGE)
    except TrackError as error:
        raise of_track(error) from error
    if isinstance(found, str):
        return _sent_as(call, found)
    kind = media_type(f"copy{wanted.target.suffix}")
    # A proxy that collects answers would hold the beginning back.
    headers = {**_NOT_BY_RANGE, "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(found, content_type=kind, headers=headers)


def _needs_length(call: Call) -> bool:
    """Whether only the whole file answers what is asked: a part of it, or how long it is."""
    is_whole = call.request.headers.get("Range", _WHOLE).strip() == _WHOLE
    wants_length = call.parameters.text("estimateContentLength").lower() == "true"
    return not is_whole or call.request.method == "HEAD" or wants_length


def download(call: Call) -> HttpResponseBase:
    """Send the file that somebody gave, unchanged, under the title of its track."""
    track = call.track()
    filename = f"{track.title}.{suffix(track.sound)}".replace("/", "_")
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


def _sent(call: Call, file: FieldFile, *, filename: str = "") -> HttpResponseBase:
    return _sent_as(call, str(file.name), filename=filename)


def _sent_as(call: Call, name: str, *, filename: str = "") -> HttpResponseBase:
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
