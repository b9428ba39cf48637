"""A user's contributions: every clip with its state, updated live, and its withdrawal."""

from __future__ import annotations

import json
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from genreweb.accounts.models import User
from library.views.paging import page_of, wants_results
from training.models import Clip
from training.services.clips import withdraw as withdraw_clip
from training.views.clip_rows import LISTS, USED, for_rows, in_state, rows_of

PER_PAGE = 25
WATCHED = 200
STATES = {
    Clip.Status.CHECKING: gettext_lazy("Being checked"),
    Clip.Status.PENDING: gettext_lazy("Waiting for review"),
    Clip.Status.APPROVED: gettext_lazy("Approved"),
    USED: gettext_lazy("In a classifier"),
    Clip.Status.REJECTED: gettext_lazy("Rejected"),
    Clip.Status.FAILED: gettext_lazy("Not accepted"),
}


@login_required
@require_safe
@never_cache
def contributions(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    clips = Clip.objects.contributed_by(user)
    if state:
        clips = in_state(clips, state)
    filters = urlencode({"state": state}) if state else ""
    paged = page_of(for_rows(clips), request, per_page=PER_PAGE, filters=filters)
    context = {**paged, "rows": rows_of(paged["page"], user), "state": state, "states": STATES.items()}
    template = "contributions_results.html" if wants_results(request) else "contributions.html"
    return render(request, f"training/contribute/{template}", context)


@login_required
@require_safe
@never_cache
def rows(request: HttpRequest) -> HttpResponse:
    """Return those of the watched rows that have changed, as replacements.

    Each ``watch`` is ``list.id.status.claimed`` of the row when it was rendered. If a long sound was split,
    an event is triggered, so that a list can show the new pieces.
    """
    user = cast(User, request.user)
    watched: dict[tuple[str, UUID], str] = {}
    for token in request.GET.getlist("watch")[:WATCHED]:
        where, _dot, rest = token.partition(".")
        key, _dot, seen = rest.partition(".")
        try:
            pk = UUID(key)
        except ValueError:
            continue
        if where in LISTS:
            watched[where, pk] = seen
    wanted = {pk for _where, pk in watched}
    clips = for_rows(Clip.objects.contributed_by(user).filter(pk__in=wanted))
    known = {row.clip.pk: row for row in rows_of(clips, user)}
    parts: list[str] = []
    split = False
    for (where, pk), seen in watched.items():
        row = known.get(pk)
        if row is None:
            parts.append(f'<li id="{where}-{pk}" hx-swap-oob="delete"></li>')
        elif seen != row.seen:
            split = split or row.pieces > 0
            context = {"row": row, "list": where, "oob": True}
            parts.append(render_to_string("training/contribute/clip_row.html", context, request=request))
    response = HttpResponse("".join(parts))
    if split:
        response["HX-Trigger"] = "clips-changed"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for confirmation (in a dialog, or on a page without scripts), then withdraw the clip."""
    user = cast(User, request.user)
    by_htmx = request.headers.get("HX-Request") == "true"
    clips = for_rows(Clip.objects.contributed_by(user).filter(pk=pk))
    row = rows_of([get_object_or_404(clips)], user)[0]
    if request.method != "POST":
        template = "withdraw_dialog.html" if by_htmx else "withdraw.html"
        return render(request, f"training/contribute/{template}", {"row": row})
    withdraw_clip(clip=row.clip)
    text = _("The clip is withdrawn and deleted.")
    if not by_htmx:
        messages.success(request, text)
        return redirect("training:contributions")
    events = {"toast": {"text": text}, "dialog-close": True, "clips-changed": True}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})
