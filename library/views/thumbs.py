"""Thumbs on the neighbours of a track: give, take back, and see them all."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from classifier.core.lenses import DEFAULT, LENSES
from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.models import Thumb, Track
from library.services import thumbs as service
from library.views.paging import page_of
from library.views.requests import by_htmx

VALUES = {"up": Thumb.Value.UP, "down": Thumb.Value.DOWN}
PER_PAGE = 50


@login_required
@post_only("library:track", "pk")
def give(request: HttpRequest, pk: UUID, other: UUID) -> HttpResponse:
    """Keep a thumb up or down on a neighbour; anything else takes the one that is there back."""
    user = cast(User, request.user)
    visible = Track.objects.visible_to(user)
    value = VALUES.get(request.POST.get("value", ""))
    lens = request.POST.get("by", "")
    if value is None:
        # Also where a track can no longer be seen: a thumb can always be taken back.
        service.take_back(user=user, query=pk, neighbour=other)
    else:
        query = get_object_or_404(visible, pk=pk)
        neighbour = get_object_or_404(visible.exclude(pk=pk), pk=other)
        service.give(
            user=user,
            query=query,
            neighbour=neighbour,
            value=value,
            lens=lens if lens in LENSES else DEFAULT,
        )
    if not by_htmx(request):
        return redirect("library:thumbs") if "list" in request.POST else redirect("library:track", pk)
    context = {"query": pk, "neighbour": other, "thumb": value or 0, "lens": lens, "news": True}
    return render(request, "library/playlists/thumbs.html", context)


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List one's thumbs, the newest first."""
    thumbs = service.listed(user=cast(User, request.user))
    return render(
        request, "library/playlists/my_thumbs.html", page_of(thumbs, request, per_page=PER_PAGE, filters="")
    )
