"""Actions on a user's own tracks: rename, edit, analyse again, delete."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from genreweb.post_only import post_only
from library.forms import TitleForm, WordsForm
from library.models import Track
from library.services import tracks as services
from library.services.bin import bin_tracks
from library.services.file_tags import WORDS
from library.views.bin import binned
from library.views.history import LISTS, ROW
from library.views.requests import by_htmx, chosen_ids, tell
from library.views.row_values import drawn

GET_OR_POST = ["GET", "HEAD", "POST"]


def _mine(request: HttpRequest, pk: UUID) -> Track:
    return get_object_or_404(Track.objects.owned_by(request.user).with_verdict(), pk=pk)


@login_required
@require_http_methods(GET_OR_POST)
def rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the title as a field, take the new one, or (``?cancel``) show the title again.

    ``list`` tells where the title is: in a row of the history, or (``track``) on the track's own page.
    """
    track = _mine(request, pk)
    on_page = (request.POST or request.GET).get("list") == "track"
    title = "library/track/title.html" if on_page else "library/partials/track_title.html"
    field = "library/track/rename_form.html" if on_page else "library/partials/rename_form.html"
    context: dict[str, object] = {"track": track, "list": "history", "mine": True}
    if request.method == "POST":
        form = TitleForm(request.POST)
        if form.is_valid():
            services.edit(track=track, words={"title": form.cleaned_data["title"]})
            if not by_htmx(request):
                messages.success(request, _("Renamed."))
                return redirect("library:track", track.pk) if on_page else redirect("library:history")
            return render(request, title, context)
    elif "cancel" in request.GET:
        return render(request, title, context)
    else:
        form = TitleForm({"title": track.title})
    template = field if by_htmx(request) else "library/rename.html"
    return render(request, template, {**context, "form": form})


@login_required
@require_http_methods(GET_OR_POST)
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change what people read about a track: title, artist, album, year, genre in words, cover."""
    track = _mine(request, pk)
    form = WordsForm(request.POST or None, initial={name: getattr(track, name) for name in WORDS})
    if request.method == "POST" and form.is_valid():
        words = {name: form.cleaned_data[name] for name in WORDS}
        services.edit(track=track, words=words, without_cover=form.cleaned_data["remove_cover"])
        messages.success(request, _("Saved."))
        return redirect("library:track", track.pk)
    status = 422 if form.errors else 200
    return render(request, "library/edit.html", {"track": track, "form": form}, status=status)


@login_required
@post_only("library:track", "pk")
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    track = _mine(request, pk)
    services.analyse_again(track=track)
    track = _mine(request, pk)
    where = request.POST.get("list", "")
    if by_htmx(request) and where in LISTS:
        return HttpResponse(drawn(ROW, track, request, list=where, oob=True))
    return redirect("library:track", track.pk)


@login_required
@require_http_methods(GET_OR_POST)
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put a track into the bin; where the site keeps none, ask (in a dialog, or on a page) and delete.

    With ``list``, the request comes from a row of a list, which then stays open; else the response leads to
    the history.
    """
    track = _mine(request, pk)
    if request.method != "POST":
        template = "library/partials/delete_dialog.html" if by_htmx(request) else "library/delete.html"
        return render(request, template, {"tracks": [track], "list": request.GET.get("list", "")})
    bin_tracks(Track.objects.owned_by(request.user).filter(pk=track.pk))
    return _deleted(request, [track], stay=request.POST.get("list", "") in LISTS)


@login_required
@post_only("library:history")
def bulk(request: HttpRequest) -> HttpResponse:
    """Analyse again or delete the chosen tracks; deleting for good asks first."""
    chosen = list(Track.objects.owned_by(request.user).filter(pk__in=chosen_ids(request)))
    action = request.POST.get("action", "")
    if not chosen or action not in ("again", "delete"):
        text = _("Choose at least one track.")
        if by_htmx(request):
            return tell(text)
        messages.info(request, text)
        return redirect("library:history")
    if action == "again":
        queued = sum(services.analyse_again(track=track) for track in chosen)
        text = ngettext("%d track is analysed again.", "%d tracks are analysed again.", queued) % queued
        if by_htmx(request):
            return tell(text, tracks_changed=True)
        messages.success(request, text)
        return redirect("library:history")
    if not settings.BIN_DAYS and "confirmed" not in request.POST:
        template = "library/partials/delete_dialog.html" if by_htmx(request) else "library/delete.html"
        return render(request, template, {"tracks": chosen, "list": "history", "several": True})
    bin_tracks(Track.objects.owned_by(request.user).filter(pk__in=[track.pk for track in chosen]))
    return _deleted(request, chosen, stay=True)


def _deleted(request: HttpRequest, tracks: list[Track], *, stay: bool) -> HttpResponse:
    if settings.BIN_DAYS:
        return binned(request, tracks, stay=stay)
    if len(tracks) == 1:
        text = _("“%(title)s” is deleted.") % {"title": tracks[0].title}
    else:
        text = ngettext("%d track is deleted.", "%d tracks are deleted.", len(tracks)) % len(tracks)
    if stay and by_htmx(request):
        gone = {"ids": [str(track.pk) for track in tracks]}
        return tell(text, dialog_close=True, tracks_changed=True, tracks_gone=gone)
    messages.success(request, text)
    return redirect("library:history")
