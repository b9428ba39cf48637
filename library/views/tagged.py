"""Copies of sounds with what was heard in their tags: what changes, then one file, or several as a ZIP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.core.tag_writing import FIELDS
from genreweb.accounts.archive import stream
from genreweb.media_types import media_type
from genreweb.post_only import post_only
from library.errors import TrackError
from library.models import Track
from library.services import tagged_copies
from library.views.requests import chosen_ids

NAMES: dict[str, Any] = {
    "genre": gettext_lazy("Genre"),
    "mood": gettext_lazy("Mood"),
    "key": gettext_lazy("Key"),
    "title": gettext_lazy("Title"),
    "artist": gettext_lazy("Artist"),
    "album": gettext_lazy("Album"),
    "year": gettext_lazy("Year"),
}


@require_safe
@never_cache
def page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show each field of the file's tags as it is and as it would be, to choose what is written."""
    track = _track(request, pk)
    context: dict[str, Any] = {"track": track}
    try:
        changes = tagged_copies.preview(track=track, user=request.user)
    except TrackError as error:
        return render(request, "library/tagged.html", {**context, "problem": error.message}, status=409)
    context["rows"] = [
        (NAMES[one.field], one, one.field in tagged_copies.DEFAULT and one.changes) for one in changes
    ]
    return render(request, "library/tagged.html", context)


@require_safe
@never_cache
def file(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Send a copy of the sound with the chosen fields in its tags."""
    track = _track(request, pk)
    fields = [name for name in request.GET.getlist("field") if name in FIELDS]
    try:
        copy = tagged_copies.tagged_copy(track=track, user=request.user, fields=fields)
    except TrackError as error:
        messages.error(request, error.message)
        return redirect("library:tagged", track.pk)
    name = tagged_copies.copy_name(track, request.user)
    return FileResponse(copy, as_attachment=True, filename=name, content_type=media_type(name))


@login_required
@post_only("library:history")
def archive(request: HttpRequest) -> HttpResponseBase:
    """Send copies of the chosen tracks with genre and mood in their tags."""
    tracks = Track.objects.visible_to(request.user).filter(pk__in=chosen_ids(request))
    if not tracks.exists():
        messages.info(request, gettext("Choose at least one track."))
        return redirect("library:history")
    pieces = stream(tagged_copies.copies(tracks=tracks, user=request.user))
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="tagged-{timezone.localdate():%Y-%m-%d}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response


def _track(request: HttpRequest, pk: UUID) -> Track:
    tracks = Track.objects.visible_to(request.user).with_verdict()
    track = tracks.select_related("labelled_genre", "current__model_version").filter(pk=pk).first()
    if track is None:
        raise Http404
    return track
