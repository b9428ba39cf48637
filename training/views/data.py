"""The page of the training data."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from training.access import curator_required
from training.services.training_data import LEAST_CLIPS, collect


@require_safe
@curator_required
def data(request: HttpRequest) -> HttpResponse:
    """Show the clips that the next run would use, by genre, source and state."""
    return render(request, "training/data/data.html", {"material": collect(), "least_clips": LEAST_CLIPS})
