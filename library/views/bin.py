"""The bin: what was deleted, taken out again, or deleted for good after a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.models import Track
from library.services import bin as service
from library.views.paging import page_of
from library.views.requests import by_htmx, chosen_ids, tell

PER_PAGE = 25
_SESSION = "binned"
_MOST_UNDONE = 500


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show what is in the bin, the latest first, and how long each is kept."""
    tracks = Track.objects.in_bin_of(request.user).with_verdict().order_by("-binned_at", "pk")
    context = page_of(tracks, request, per_page=PER_PAGE, filters="")
    rows = [(track, service.days_left(track)) for track in context["page"]]
    return render(request, "library/bin/page.html", {**context, "rows": rows, "days": settings.BIN_DAYS})


@login_required
@post_only("library:bin")
def restore(request: HttpRequest) -> HttpResponse:
    """Take the chosen tracks out of the bin: from its page, or as the undoing of a deletion."""
    tracks = service.restore(
        by=cast(User, request.user), tracks=Track.objects.filter(pk__in=chosen_ids(request))
    )
    if len(tracks) == 1:
        text = _("“%(title)s” is back.") % {"title": tracks[0].title}
    else:
        text = ngettext("%d track is back.", "%d tracks are back.", len(tracks)) % len(tracks)
    if by_htmx(request):
        return tell(text, tracks_changed=True)
    messages.success(request, text)
    # In the bin another one may be wanted; after an undoing the list is.
    return redirect("library:bin" if request.POST.get("list") == "bin" else "library:history")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Ask, then delete the chosen tracks for good."""
    sent = request.POST if request.method == "POST" else request.GET
    tracks = list(Track.objects.in_bin_of(request.user).filter(pk__in=chosen_ids(request, sent)))
    if not tracks:
        return redirect("library:bin")
    if request.method != "POST":
        return _ask(request, {"tracks": tracks})
    chosen = Track.objects.filter(pk__in=[track.pk for track in tracks])
    return _gone(request, service.delete_from_bin(by=cast(User, request.user), tracks=chosen))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def empty(request: HttpRequest) -> HttpResponse:
    """Ask, then delete everything in the bin for good."""
    if request.method != "POST":
        count = Track.objects.in_bin_of(request.user).count()
        return _ask(request, {"count": count}) if count else redirect("library:bin")
    return _gone(request, service.delete_from_bin(by=cast(User, request.user), tracks=Track.objects.all()))


def binned(request: HttpRequest, tracks: Sequence[Track], *, stay: bool) -> HttpResponse:
    """Tell that tracks were put into the bin, with a way to undo it; `stay` in the list that htmx shows."""
    ids = [str(track.pk) for track in tracks]
    if stay and by_htmx(request):
        undo = {"url": reverse("library:bin-restore"), "tracks": ids}
        return tell(
            _text(tracks), undo=undo, dialog_close=True, tracks_changed=True, tracks_gone={"ids": ids}
        )
    request.session[_SESSION] = {"text": _text(tracks), "tracks": ids[:_MOST_UNDONE]}
    return redirect("library:history")


def take_binned(request: HttpRequest) -> dict[str, Any] | None:
    """Give, once, what the last page has put into the bin: the sentence, and the ids to restore."""
    found: dict[str, Any] | None = request.session.pop(_SESSION, None)
    return found


def _text(tracks: Sequence[Track]) -> str:
    if len(tracks) == 1:
        return _("“%(title)s” is in the bin.") % {"title": tracks[0].title}
    return ngettext("%d track is in the bin.", "%d tracks are in the bin.", len(tracks)) % len(tracks)


def _ask(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    template = "library/bin/delete_dialog.html" if by_htmx(request) else "library/bin/delete.html"
    return render(request, template, context)


def _gone(request: HttpRequest, count: int) -> HttpResponse:
    text = ngettext("%d track is deleted for good.", "%d tracks are deleted for good.", count)
    messages.success(request, text % count)
    return redirect("library:bin")
