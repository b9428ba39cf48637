"""Playlists: all of them, one to play and to arrange, and what becomes of one."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.api.playlist_download import downloaded
from library.errors import PlaylistError
from library.models import Playlist, Track
from library.playlist_files import FORMATS
from library.services import playlists as service
from library.views.requests import by_htmx, tell, tracks_named

GET_OR_POST = ["GET", "HEAD", "POST"]


@login_required
@require_http_methods(GET_OR_POST)
def index(request: HttpRequest) -> HttpResponse:
    """List one's own playlists and those that others share; with POST make one of the tracks named."""
    user = cast(User, request.user)
    if request.method == "POST":
        tracks = tracks_named(request, request.POST.getlist("track"))
        try:
            playlist = service.create(owner=user, title=request.POST.get("title", ""), tracks=tracks)
        except PlaylistError as error:
            return _list(request, user, error=error.message)
        messages.success(request, _("“%(title)s” is made.") % {"title": playlist.title})
        return redirect("library:playlist", playlist.pk)
    return _list(request, user)


@login_required
@require_safe
@never_cache
def page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a playlist with the tracks of it that the reader may see."""
    return render(request, "library/playlists/page.html", _context(request, _readable(request, pk)))


@login_required
@post_only("library:playlist", "pk")
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Rename a playlist, or share it or take it back."""
    playlist = _mine(request, pk)
    shared = request.POST.get("shared")
    try:
        service.edit(
            playlist=playlist,
            title=request.POST.get("title"),
            shared=None if shared is None else shared == "true",
        )
    except PlaylistError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Saved."))
    return redirect("library:playlist", pk)


@login_required
@post_only("library:playlist", "pk")
def entries(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move a track up or down, take it out, or put it back where it was; show the tracks as they are then."""
    playlist = _mine(request, pk)
    context: dict[str, Any] = {}
    for track in tracks_named(request, [request.POST.get("track", "")]):
        try:
            context = _done(request, playlist, track)
        except PlaylistError as error:
            context = {"problem": error.message}
    if not by_htmx(request):
        if context.get("removed"):
            return render(request, "library/playlists/page.html", {**_context(request, playlist), **context})
        return redirect("library:playlist", pk)
    return render(request, "library/playlists/entries.html", {**_context(request, playlist), **context})


@login_required
@require_http_methods(GET_OR_POST)
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then delete the playlist; its tracks stay."""
    playlist = _mine(request, pk)
    if request.method != "POST":
        template = "delete_dialog" if by_htmx(request) else "delete"
        return render(request, f"library/playlists/{template}.html", {"playlist": playlist})
    service.delete(playlist=playlist)
    messages.success(request, _("“%(title)s” is deleted.") % {"title": playlist.title})
    return redirect("library:playlists")


@login_required
@require_safe
def file(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Hand a playlist out as a file."""
    if kind not in FORMATS:
        raise Http404
    return downloaded(request, _readable(request, pk), FORMATS[kind])


@login_required
@require_http_methods(GET_OR_POST)
def add(request: HttpRequest) -> HttpResponse:
    """Show the playlists that tracks can be added to; with POST, add them to one or to a new one."""
    sent = request.POST if request.method == "POST" else request.GET
    tracks = tracks_named(request, sent.getlist("track"))
    if not tracks:
        text = _("Choose at least one track.")
        if by_htmx(request):
            return tell(text)
        messages.info(request, text)
        return redirect("library:playlists")
    user = cast(User, request.user)
    context: dict[str, Any] = {"tracks": tracks, "playlists": Playlist.objects.owned_by(user)}
    if "playlist" in request.POST:
        try:
            return _added(request, user, tracks)
        except PlaylistError as error:
            context["problem"] = error.message
    template = "add_dialog" if by_htmx(request) else "add"
    return render(request, f"library/playlists/{template}.html", context)


def _added(request: HttpRequest, user: User, tracks: list[Track]) -> HttpResponse:
    chosen = request.POST["playlist"]
    if chosen:
        playlist = _mine(request, chosen)
        count = service.add(playlist=playlist, tracks=tracks)
    else:
        playlist = service.create(owner=user, title=request.POST.get("title", ""), tracks=tracks)
        count = len(tracks)
    text = ngettext("%(count)d track added to “%(title)s”.", "%(count)d tracks added to “%(title)s”.", count)
    messages.success(request, text % {"count": count, "title": playlist.title})
    return redirect("library:playlist", playlist.pk)


def _done(request: HttpRequest, playlist: Playlist, track: Track) -> dict[str, Any]:
    """Do to a track of a playlist what the button says; give what the page tells of it."""
    act, viewer = request.POST.get("act", ""), request.user
    if act == "remove":
        place = service.remove(playlist=playlist, track=track.pk, viewer=viewer)
        return {} if place is None else {"removed": track, "place": place}
    if act in ("up", "down"):
        order = list(service.tracks_of(playlist, viewer=viewer).values_list("pk", flat=True))
        if track.pk not in order:
            return {}
        place = order.index(track.pk) + (1 if act == "down" else -1)
        service.put(playlist=playlist, track=track, place=place, viewer=viewer)
        shown = max(1, min(place + 1, len(order)))
        news = _("“%(title)s” is number %(place)d now.") % {"title": track.title, "place": shown}
        return {"moved": track, "news": news}
    if act == "back" and request.POST.get("place", "").isdecimal():
        place = min(int(request.POST["place"][:6]), service.MOST_ENTRIES)
        service.put(playlist=playlist, track=track, place=place, viewer=viewer)
        return {"news": _("“%(title)s” is back.") % {"title": track.title}}
    return {}


def _list(request: HttpRequest, user: User, *, error: str = "") -> HttpResponse:
    visible = Playlist.objects.visible_to(user)
    lists = (
        ("mine", _("Yours"), list(service.counted(visible.owned_by(user), viewer=user))),
        ("shared", _("Shared by others"), list(service.counted(visible.exclude(owner=user), viewer=user))),
    )
    context = {
        "lists": [each for each in lists if each[2]],
        "error": error,
        "title": request.POST.get("title", ""),
    }
    return render(request, "library/playlists/index.html", context, status=422 if error else 200)


def _context(request: HttpRequest, playlist: Playlist) -> dict[str, Any]:
    tracks = list(service.tracks_of(playlist, viewer=request.user))
    return {
        "playlist": playlist,
        "tracks": tracks,
        "seconds": sum(track.duration or 0 for track in tracks),
        "mine": playlist.owner_id == request.user.pk,
        "formats": FORMATS.values(),
    }


def _readable(request: HttpRequest, pk: UUID) -> Playlist:
    return get_object_or_404(Playlist.objects.visible_to(request.user).select_related("owner"), pk=pk)


def _mine(request: HttpRequest, pk: UUID | str) -> Playlist:
    try:
        key = UUID(str(pk))
    except ValueError as error:
        raise Http404 from error
    return get_object_or_404(Playlist.objects.owned_by(request.user), pk=key)
