"""Uploads: one file at a time from the page's script, or many at once from its plain form."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.errors import TrackError, sentence
from library.models import ResumableUpload, Track
from library.services.tracks import Added, add_track
from library.views.history import ROW
from library.views.row_values import drawn

# Suggested types of the file dialog; other files are checked by their content.
# Beside what a browser knows as audio, which is not the same everywhere.
ACCEPT = (
    "audio/*,.aac,.ac3,.aif,.aifc,.aiff,.amr,.ape,.asf,.au,.caf,.dsf,.flac,.m4a,.m4b,.mka,.mp2,.mp3,.mp4,.mpc,.oga,"
    ".ogg,.opus,.snd,.tta,.voc,.w64,.wav,.wave,.weba,.webm,.wma,.wv"
)
IN_PARTS_ABOVE = 8 * 2**20
"""Bytes of a file that the page sends in parts, which survive a lost connection."""
_PAGE_SOURCES = {Track.Source.UPLOAD, Track.Source.RECORDING}


def upload_settings() -> dict[str, Any]:
    """Return the settings of the upload script: limits and texts."""
    most = settings.AUDIO_MAX_BYTES
    return {
        "url": reverse("library:upload"),
        "accept": ACCEPT,
        "maxBytes": most,
        "text": {
            "empty": sentence("empty"),
            "too_large": sentence("too_large", {"maximum": most // 2**20}),
            "waiting": _("Waiting"),
            "uploading": _("Uploading"),
            "checking": _("Checking the file"),
            "stopped": _("Stopped."),
            "offline": _("The connection was lost. Check it and try again."),
            "away": sentence("unavailable"),
            "failed": _("Something went wrong on our side. Try again in a moment."),
            "stale": _("This page is too old to send files. Reload it and try again."),
            "progress": _("%(done)s of %(all)s files sent"),
            "finished": _("All files are sent."),
            "refused": _("%(count)s could not be taken."),
            "skipped": _("Left out because they are not audio: %(count)s."),
            "nothing": _("There is no audio file in there."),
            "amount": _("%(done)s of %(all)s"),
            "left": _("%(time)s left"),
            "retry": _("Try again what failed (%(count)s)"),
            "leave": _("Files are still being sent."),
            "interrupted": _("The connection was lost; the rest follows when it is back."),
        },
    }


def resumable_settings() -> dict[str, Any]:
    """Return what the upload script needs to send large files in parts."""
    return {
        "url": reverse("api:resumable-uploads"),
        "above": IN_PARTS_ABOVE,
        "library": static("vendor/tus/tus.min.js"),
        "answer": reverse("library:upload-in-parts", args=[UUID(int=0)]),
        "id": str(UUID(int=0)),
    }


@post_only("library:home")
def upload(request: HttpRequest) -> HttpResponse:
    by_script = request.headers.get("Accept") == "application/json"
    if not request.user.is_authenticated:
        if by_script:
            return _refuse(
                401, "not_authenticated", _("You are signed out. Sign in again, then send the file.")
            )
        return redirect_to_login(reverse("library:home"))
    files = cast("list[UploadedFile[bytes]]", request.FILES.getlist("file"))
    return _one(request, files) if by_script else _many(request, files)


def _add(request: HttpRequest, file: UploadedFile[bytes]) -> Added:
    source = request.POST.get("source", "")
    return add_track(
        owner=cast(User, request.user),
        file=file,
        name=file.name or "",
        title=request.POST.get("title", ""),
        source=source if source in _PAGE_SOURCES else Track.Source.UPLOAD,
    )


def _one(request: HttpRequest, files: list[UploadedFile[bytes]]) -> HttpResponse:
    if len(files) != 1:
        return _refuse(400, "one_file", _("Send exactly one file."))
    try:
        added = _add(request, files[0])
    except TrackError as error:
        return _refuse_track(error)
    return _taken(request, added)


def _taken(request: HttpRequest, added: Added) -> JsonResponse:
    track = Track.objects.for_rows().get(pk=added.track.pk)
    return JsonResponse(
        {
            "id": str(track.pk),
            "url": reverse("library:track", args=[track.pk]),
            "duplicate": added.duplicate,
            "row": drawn(
                ROW, track, request, list="upload", duplicate=added.duplicate, restored=added.restored
            ),
        },
        status=200 if added.duplicate else 201,
    )


def _refuse_track(error: TrackError) -> JsonResponse:
    statuses = {"storage_full": 507, "too_large": 413}
    status = statuses.get(error.code, 503 if error.is_ours else 422)
    return _refuse(status, error.code, error.message)


@require_safe
@never_cache
def upload_in_parts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer with the track that an upload in parts became, as `upload` does; 202 while it is being made."""
    if not request.user.is_authenticated:
        return _refuse(401, "not_authenticated", _("You are signed out. Sign in again, then send the file."))
    mine = ResumableUpload.objects.filter(owner=request.user).select_related("owner")
    sent = get_object_or_404(mine, pk=pk)
    if sent.track_id is None:
        return HttpResponse(status=202)
    track = get_object_or_404(Track.objects.owned_by(request.user), pk=sent.track_id)
    # Older than the upload: the file was here already.
    return _taken(request, Added(track, duplicate=track.created < sent.created))


def _many(request: HttpRequest, files: list[UploadedFile[bytes]]) -> HttpResponse:
    added: list[Added] = []
    for file in files:
        try:
            added.append(_add(request, file))
        except TrackError as error:
            messages.error(request, f"{file.name}: {error.message}")
    if not files:
        messages.error(request, _("Choose at least one file."))
    if len(added) == 1:
        if added[0].duplicate:
            text = _("It is back from the bin.") if added[0].restored else _("You already have this one.")
            messages.info(request, text)
        return redirect("library:track", added[0].track.pk)
    if not added:
        return redirect("library:home")
    messages.success(request, ngettext("%d file was taken.", "%d files were taken.", len(added)) % len(added))
    return redirect("library:history")


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
