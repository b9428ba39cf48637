"""Contribute several of one's own tracks at once, all of one genre."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from genreweb.accounts.models import User
from genreweb.domain_errors import DomainError
from genreweb.post_only import post_only
from library.models import Track
from library.views.requests import by_htmx, chosen_ids, tell
from training.forms import ClipForm
from training.services.clips import submit_clip

MOST_AT_ONCE = 100


@login_required
@post_only("library:history")
def contribute_tracks(request: HttpRequest) -> HttpResponse:
    """Ask for the genre of the chosen tracks, then submit each whole; long ones are cut into clips."""
    tracks = list(Track.objects.owned_by(request.user).filter(pk__in=chosen_ids(request)[:MOST_AT_ONCE]))
    if not tracks:
        text = _("Choose at least one track.")
        if by_htmx(request):
            return tell(text)
        messages.info(request, text)
        return redirect("library:history")
    form = ClipForm(request.POST if "genre" in request.POST else None)
    if not form.is_valid():
        context: dict[str, Any] = {"tracks": tracks, "form": form}
        name = "tracks_dialog" if by_htmx(request) else "from_tracks"
        return render(request, f"training/contribute/{name}.html", context)
    taken, refused = _submit(cast(User, request.user), form, tracks)
    text = ngettext(
        "Thank you. %d track is being checked, then a curator listens to it.",
        "Thank you. %d tracks are being checked, then a curator listens to them.",
        taken,
    )
    told = [text % taken] if taken else []
    if by_htmx(request):
        toast = {"text": " ".join([*told, *refused]), "kind": "bad" if refused else "good"}
        events = {"toast": toast, "dialog-close": True}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})
    for sentence in told:
        messages.success(request, sentence)
    for sentence in refused:
        messages.error(request, sentence)
    return redirect("training:contributions")


def _submit(user: User, form: ClipForm, tracks: list[Track]) -> tuple[int, list[str]]:
    """Submit each track by itself; give how many were taken, and a sentence for each that was not."""
    taken, refused = 0, []
    for track in tracks:
        try:
            submit_clip(
                contributor=user,
                genre=form.cleaned_data["genre"],
                comment=form.cleaned_data["comment"],
                rights=form.cleaned_data["rights"],
                track=track,
                name=track.original_name,
            )
        except DomainError as error:
            refused.append(f"{track.title}: {error.message}")
        else:
            taken += 1
    return taken, refused
