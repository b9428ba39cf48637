"""The page of the training data, and the approved clips as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from genreweb.table_stream import CSV_TYPE, JSON_TYPE, csv_lines, download, json_pieces
from training.access import curator_required
from training.services import clip_exports
from training.services.training_data import LEAST_CLIPS, collect


@require_safe
@curator_required
def data(request: HttpRequest) -> HttpResponse:
    """Show the clips that the next run would use, by genre, source and state."""
    return render(request, "training/data/data.html", {"material": collect(), "least_clips": LEAST_CLIPS})


@require_safe
@curator_required
def table(request: HttpRequest) -> HttpResponseBase:
    """Send the approved clips as CSV."""
    rows = ([row[name] for name in clip_exports.COLUMNS] for row in clip_exports.rows())
    lines = csv_lines(clip_exports.COLUMNS, rows, for_spreadsheets=True)
    return download(lines, content_type=CSV_TYPE, name="clips.csv")


@require_safe
@curator_required
def listing(request: HttpRequest) -> HttpResponseBase:
    """Send the approved clips as JSON."""
    return download(json_pieces(clip_exports.rows()), content_type=JSON_TYPE, name="clips.json")


@require_safe
@curator_required
def archive(request: HttpRequest) -> HttpResponseBase:
    """Send the approved clips with their sounds as a ZIP archive."""
    return clip_exports.archive_response()
