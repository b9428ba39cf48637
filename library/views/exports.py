"""Lists of tracks as files: the history, the catalogue or what was chosen, as CSV or JSON."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.table_stream import CSV_TYPE, JSON_TYPE, csv_lines, download, json_pieces
from library import exports
from library.api.serializers import TrackSummarySerializer
from library.errors import TrackError
from library.forms import HistoryForm
from library.models import Track, TrackQuerySet
from library.services import features
from library.views.catalogue import Filters, filtered
from library.views.requests import chosen_ids

CSV, JSON = "csv", "json"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def history(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send with GET one's own tracks that the filters of the page show, with POST those chosen anywhere."""
    return _send(request, _own(request), form, gettext("Tracks"))


@require_safe
def catalogue(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the tracks of the catalogue that the filters of the page show."""
    filters = Filters.of(request)
    return _send(request, filtered(filters).order_by(*filters.order), form, gettext("Catalogue"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def own_features(request: HttpRequest) -> HttpResponseBase:
    """Send the 57 summary features of one's own tracks as CSV, filtered or chosen as in `history`."""
    try:
        rows = features.table(_own(request), user=cast(User, request.user))
    except TrackError as error:
        messages.error(request, error.message)
        return redirect("library:history")
    lines = csv_lines(features.HEADER, rows, for_spreadsheets=True)
    return download(lines, content_type=CSV_TYPE, name=_name(gettext("Features"), CSV))


def _own(request: HttpRequest) -> TrackQuerySet:
    mine = Track.objects.owned_by(request.user)
    if request.method == "POST":
        # Those that were chosen in any list.
        chosen = Track.objects.visible_to(request.user).filter(pk__in=chosen_ids(request))
        return chosen.order_by("-created", "id")
    return HistoryForm(request.GET, genres=list(Genre.objects.all())).apply(mine)


def _send(request: HttpRequest, tracks: TrackQuerySet, form: str, name: str) -> HttpResponseBase:
    if form == JSON:
        items = (
            TrackSummarySerializer(one, context={"request": request}).data for one in exports.each(tracks)
        )
        return download(json_pieces(items), content_type=JSON_TYPE, name=_name(name, form))
    genres = exports.labels()
    rows = exports.rows(tracks, genres=genres, user=request.user)
    lines = csv_lines(exports.columns(genres), rows, for_spreadsheets=True)
    return download(lines, content_type=CSV_TYPE, name=_name(name, form))


def _name(title: str, suffix: str) -> str:
    return f"{title} {timezone.localdate():%Y-%m-%d}.{suffix}"
