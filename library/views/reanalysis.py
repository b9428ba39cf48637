"""Re-analyses of many tracks by the version in service: begin, watch, pause, stop, list changes."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from genreweb.accounts.models import User
from library.errors import TrackError
from library.models import Reanalysis
from library.services import reanalysis as service

MOST_SHOWN = 500


def card(request: HttpRequest, scope: str) -> dict[str, object]:
    """Return the context of a scope's card: the number of outdated tracks, and the job that analyses them."""
    user = request.user
    if not user.is_authenticated or not service.may_request(user=user, scope=scope):
        return {}
    job = service.latest(user=user, scope=scope)
    if job is not None and job.is_active:
        return {"scope": scope, "job": job, "progress": service.progress(job)}
    outdated = service.outdated(service.within(scope, user)).count()
    # A finished job is shown until the user leaves the page; the list of changes stays reachable.
    return {"scope": scope, "outdated": outdated, "former": job if job and job.status == "done" else None}


@login_required
@require_safe
@never_cache
def watch(request: HttpRequest, scope: str) -> HttpResponse:
    """Render the card of a scope alone, for pages that poll its progress."""
    context = card(request, _scope(request, scope))
    return render(request, "library/partials/reanalysis.html", {"reanalysis": context})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, scope: str) -> HttpResponse:
    """Ask for a re-analysis; whoever opens the address is shown the list that it is for."""
    checked = _scope(request, scope)
    if request.method == "POST":
        try:
            service.request(by=cast(User, request.user), scope=checked)
        except TrackError as error:
            if not _by_htmx(request):
                messages.info(request, error.message)
    return _back(request, scope)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def steer(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause, resume or stop, depending on the button; whoever opens the address is shown the list."""
    job = _job(request, pk)
    acts = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}
    act = acts.get(request.POST.get("act", ""))
    if act:
        act(job=job)
    return _back(request, job.scope)


@login_required
@require_safe
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """List the tracks whose predicted genre changed."""
    job = _job(request, pk)
    return render(
        request,
        "library/reanalysis.html",
        {
            "job": job,
            "progress": service.progress(job),
            "changes": service.changes(job, most=MOST_SHOWN),
            "most": MOST_SHOWN,
        },
    )


def _scope(request: HttpRequest, scope: str) -> str:
    if scope not in Reanalysis.Scope or not service.may_request(user=cast(User, request.user), scope=scope):
        raise Http404
    return scope


def _job(request: HttpRequest, pk: int) -> Reanalysis:
    rows = service.visible_to(cast(User, request.user)).select_related("requested_by")
    return get_object_or_404(rows, pk=pk)


def _by_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _back(request: HttpRequest, scope: str) -> HttpResponse:
    if _by_htmx(request):
        return render(request, "library/partials/reanalysis.html", {"reanalysis": card(request, scope)})
    return redirect("library:history" if scope == Reanalysis.Scope.MINE else "library:catalogue")
