"""A playlist as a download: the tracks that its reader may see, with links to their sounds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header

from library.models import Playlist
from library.playlist_files import Format, Item
from library.services.playlists import tracks_of


def downloaded(request: HttpRequest, playlist: Playlist, kind: Format) -> HttpResponse:
    """Answer with a playlist that the user may see as a file."""
    items = [
        Item(
            title=track.title,
            artist=track.artist,
            album=track.album,
            duration=track.duration,
            sound=request.build_absolute_uri(track.player_url),
            page=request.build_absolute_uri(reverse("library:track", args=[track.pk])),
        )
        for track in tracks_of(playlist, viewer=request.user)
    ]
    response = HttpResponse(kind.write(playlist.title, items), content_type=kind.media_type)
    response["Content-Disposition"] = content_disposition_header(True, f"{playlist.title}.{kind.suffix}")
    response["Cache-Control"] = "private, no-store"
    return response
