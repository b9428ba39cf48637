"""A piece of the project's own, tried with one click."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.errors import TrackError
from library.services import samples


@login_required
@post_only("library:home")
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a piece to the person's tracks and show its page, which shows how far the analysis is."""
    if slug not in samples.SAMPLES:
        raise Http404
    try:
        added = samples.add_sample(owner=cast(User, request.user), slug=slug)
    except TrackError as error:
        messages.error(request, error.message)
        return redirect("library:home")
    return redirect("library:track", added.track.pk)
