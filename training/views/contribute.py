"""Contribute clips: files, from the page's script or its plain form, and parts of one's own tracks."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from genreweb.accounts.models import User
from genreweb.domain_errors import DomainError
from library.models import Track
from library.views.record import record_settings
from training.errors import training_sentence
from training.forms import ClipForm, beyond, too_long, too_short
from training.models import Clip
from training.services.clips import LEAST_SECONDS, MOST_SECONDS, Submitted, submit_clip
from training.views.clip_rows import for_rows, rows_of

GET_OR_POST = ["GET", "HEAD", "POST"]


def contribute_settings() -> dict[str, Any]:
    """Return the settings of the page's script: upload URL, limits and texts."""
    shared = record_settings()
    return {
        **shared,
        "url": reverse("training:contribute"),
        "minSeconds": LEAST_SECONDS,
        "clipSeconds": MOST_SECONDS,
        "text": {
            **shared["text"],
            "too_short": training_sentence("too_short", {"minimum": LEAST_SECONDS}),
            "play": _("Play “%(name)s”"),
            "remove": _("Take “%(name)s” off the list"),
            "removed": _("“%(name)s” is off the list."),
            "noGenre": _("Choose the genre of the clip."),
            "sendOne": _("Send 1 file"),
            "sendMany": _("Send %(count)s files"),
        },
    }


def cut_limits() -> dict[str, Any]:
    """Return the settings of the part chooser: limits, and texts for parts that exceed them."""
    return {
        "least": LEAST_SECONDS,
        "most": MOST_SECONDS,
        "unread": _("Write a time like 1:05 or 65.5."),
        "short": too_short(),
        "long": too_long(),
        "beyond": beyond(),
    }


@require_http_methods(GET_OR_POST)
@never_cache
def contribute(request: HttpRequest) -> HttpResponse:
    """Show the page; accept one file from its script, or from its plain form."""
    by_script = request.method == "POST" and request.headers.get("Accept") == "application/json"
    if not request.user.is_authenticated:
        if by_script:
            return _refuse(
                401, "not_authenticated", _("You are signed out. Sign in again, then send the file.")
            )
        return redirect_to_login(request.get_full_path())
    if request.method != "POST":
        return _page(request, ClipForm())
    form = ClipForm(request.POST)
    files = cast("list[UploadedFile[bytes]]", request.FILES.getlist("file"))
    return _by_script(request, form, files) if by_script else _by_form(request, form, files)


def _page(request: HttpRequest, form: ClipForm, *, problem: str = "", status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "problem": problem,
        "contribute_settings": contribute_settings(),
        "cut": cut_limits(),
        "megabytes": settings.AUDIO_MAX_BYTES // 2**20,
        "minutes": f"{settings.AUDIO_MAX_SECONDS / 60:g}",
    }
    return render(request, "training/contribute/contribute.html", context, status=status)


def _submit(request: HttpRequest, form: ClipForm, file: UploadedFile[bytes]) -> Submitted:
    return _submitted(request, form, file=file, name=file.name or "")


def _submitted(request: HttpRequest, form: ClipForm, **source: Any) -> Submitted:
    fields = form.cleaned_data
    return submit_clip(
        contributor=cast(User, request.user),
        genre=fields["genre"],
        title=fields["title"],
        artist=fields["artist"],
        comment=fields["comment"],
        rights=fields["rights"],
        start=fields["start"],
        end=fields["end"],
        **source,
    )


def _by_script(request: HttpRequest, form: ClipForm, files: list[UploadedFile[bytes]]) -> HttpResponse:
    if len(files) != 1:
        return _refuse(400, "one_file", _("Send exactly one file."))
    if not form.is_valid():
        return _refuse(400, "invalid", form.first_error())
    try:
        submitted = _submit(request, form, files[0])
    except DomainError as error:
        return _refuse(_status(error), error.code, error.message)
    clips = for_rows(Clip.objects.contributed_by(request.user).filter(pk=submitted.clip.pk))
    row = render_to_string(
        "training/contribute/clip_row.html",
        {
            "row": rows_of(clips, cast(User, request.user))[0],
            "list": "sent",
            "duplicate": submitted.duplicate,
        },
        request=request,
    )
    return JsonResponse(
        {
            "id": str(submitted.clip.pk),
            "url": reverse("training:contributions"),
            "duplicate": submitted.duplicate,
            "row": row,
        },
        status=200 if submitted.duplicate else 202,
    )


def _by_form(request: HttpRequest, form: ClipForm, files: list[UploadedFile[bytes]]) -> HttpResponse:
    if not files:
        return _page(request, form, problem=_("Choose a file."), status=422)
    if not form.is_valid():
        return _page(request, form, status=422)
    taken = 0
    for file in files:
        try:
            _submit(request, form, file)
        except DomainError as error:
            messages.error(request, f"{file.name}: {error.message}")
        else:
            taken += 1
    if not taken:
        return redirect("training:contribute")
    messages.success(request, _("Thank you. It is being checked, then a curator listens to it."))
    return redirect("training:contributions")


@login_required
@require_http_methods(GET_OR_POST)
@never_cache
def from_track(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Contribute one of one's own tracks, or a part of it, as a clip with the correct genre.

    In a dialog on the track's page, or on a page of its own.
    """
    tracks = Track.objects.owned_by(request.user).select_related("current").with_columns("current__peaks")
    track = get_object_or_404(tracks, pk=pk)
    by_htmx = request.headers.get("HX-Request") == "true"
    form = ClipForm(request.POST or None, duration=track.duration)
    problem = ""
    if request.method == "POST" and form.is_valid():
        try:
            _submitted(request, form, track=track, name=track.original_name)
        except DomainError as error:
            problem = error.message
        else:
            return _given(request, track, by_htmx=by_htmx)
    long = track.duration is not None and track.duration > MOST_SECONDS
    context = {
        "track": track,
        "form": form,
        "problem": problem,
        "cut": cut_limits() if long else None,
        "peaks": track.current.peaks if long and track.current else [],
    }
    template = "track_dialog.html" if by_htmx else "from_track.html"
    # htmx does not swap error responses, so the form with its errors is sent with status 200.
    status = 422 if request.method == "POST" and not by_htmx else 200
    return render(request, f"training/contribute/{template}", context, status=status)


def _given(request: HttpRequest, track: Track, *, by_htmx: bool) -> HttpResponse:
    text = _("Thank you. It is being checked, then a curator listens to it.")
    if not by_htmx:
        messages.success(request, text)
        return redirect("library:track", track.pk)
    events = {"toast": {"text": text, "kind": "good"}, "dialog-close": True, "clip-given": True}
    response = HttpResponse(status=204)
    response["HX-Trigger"] = json.dumps(events)
    return response


@login_required
@require_safe
@never_cache
def given(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show on a track's page the clips that its owner made from it, with their states."""
    track = get_object_or_404(Track.objects.owned_by(request.user), pk=pk)
    return render(request, "training/contribute/on_track.html", {"track": track})


def _status(error: DomainError) -> int:
    if error.is_ours:
        return 503
    return 413 if error.code == "too_large" else 422


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
