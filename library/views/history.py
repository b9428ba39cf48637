"""A user's tracks: search, sort and page through them, with live updates while they are analysed."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.template import Context
from django.views.decorators.http import require_safe

from library.forms import HistoryForm
from library.models import Reanalysis, Track
from library.services.samples import SAMPLES
from library.templatetags import sound
from library.views import reanalysis
from library.views.bin import take_binned
from library.views.paging import bounded_page_of, wants_results
from library.views.row_values import drawn

PER_PAGE = 25
WATCHED = 200
ROW = "library/partials/track_row.html"
LISTS = ("upload", "recent", "history")


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    genres = sound.genres_by_slug(Context({"request": request}))
    form = HistoryForm(request.GET, genres=list(genres.values()))
    tracks = form.apply(Track.objects.owned_by(request.user).for_rows())
    kept = QueryDict(mutable=True)
    kept.update({name: form.value_of(name) for name in form.fields if form.value_of(name)})
    context = {
        "form": form,
        "samples": SAMPLES.values(),
        **bounded_page_of(tracks, request, per_page=PER_PAGE, filters=kept.urlencode()),
    }
    if wants_results(request):
        return render(request, "library/history_results.html", context)
    context["binned"] = take_binned(request)
    context["reanalysis"] = reanalysis.card(request, Reanalysis.Scope.MINE)
    return render(request, "library/history.html", context)


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """Return those of the watched rows that have changed, as replacements.

    Each ``watch`` is ``list.id.status.step`` of the row when it was rendered, followed by the id of the
    analysis that it shows where that may change too. A row whose track was deleted is removed.
    """
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
    mine = Track.objects.owned_by(request.user).for_rows()
    tracks = mine.in_bulk([pk for _where, pk in watched])
    parts: list[str] = []
    for (where, pk), seen in watched.items():
        track = tracks.get(pk)
        if track is None:
            parts.append(f'<li id="{where}-{pk}" hx-swap-oob="delete"></li>')
        elif seen not in (state := f"{track.status}.{track.step}", f"{state}.{track.current_id or ''}"):
            parts.append(drawn(ROW, track, request, list=where, oob=True))
    return HttpResponse("".join(parts))
