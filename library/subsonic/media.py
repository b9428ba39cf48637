"""Methods that hand out files: sounds and pictures."""

from __future__ import annotations

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponseBase, HttpResponseRedirect
from django.utils.http import content_disposition_header

from genreweb.media import serve
from genreweb.storage import download_url
from library.models import Playlist, Track, TrackQuerySet
from library.services import playlists
from library.subsonic import ids
from library.subsonic.calls import Call
from library.subsonic.errors import not_found

_AS_IT_IS = "raw"


def stream(call: Call) -> HttpResponseBase:
    """Send a sound; what browsers cannot play is sent as they can, unless it is asked for as it is."""
    track = call.track()
    return _sent(call, track.sound if call.parameters.text("format") == _AS_IT_IS else track.playable)


def download(call: Call) -> HttpResponseBase:
    """Send the file that somebody gave, unchanged, under the title of its track."""
    track = call.track()
    suffix = str(track.sound.name).rpartition(".")[2]
    return _sent(call, track.sound, filename=f"{track.title}.{suffix}".replace("/", "_"))


def get_cover_art(call: Call) -> HttpResponseBase:
    """Send the cover of a song, else a picture of its sound; an album, artist or playlist has a song's."""
    track = _pictured(call, call.parameters.required("id"))
    if track is None:
        raise not_found()
    picture = track.cover or (track.current.mel if track.current else None)
    if not picture:
        raise not_found()
    return _sent(call, picture)


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
