"""The pages of the classifier."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.models import ModelVersion
from classifier.quality.card import card_of
from classifier.quality.methods import comparison_of
from classifier.quality.outside import outside_of
from classifier.quality.robustness import robustness_of
from classifier.quality.similarity import similarity


@require_safe
def quality(request: HttpRequest) -> HttpResponse:
    """Show how good the version in service is, and what the figures mean."""
    version = ModelVersion.objects.in_service()
    card = card_of(version) if version else None
    names = {row.genre.slug: str(row.genre) for row in card.genres} if card else {}
    return render(
        request,
        "classifier/quality.html",
        {
            "version": version,
            "card": card,
            "outside": outside_of(version, names) if version else None,
            "comparison": comparison_of(version) if version else [],
            "robustness": robustness_of(version) if version else None,
            "similarity": similarity(),
        },
    )
