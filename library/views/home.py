"""The start page: an introduction for visitors, the upload area for users."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.models import Genre
from library.models import Track
from library.services.samples import SAMPLES
from library.views.upload import resumable_settings, upload_settings

RECENT = 5


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "library/landing.html", {"genres": Genre.objects.all()})
    recent = Track.objects.owned_by(request.user).for_rows()[:RECENT]
    context = {
        "samples": SAMPLES.values(),
        "recent": recent,
        "upload_settings": {
            **upload_settings(),
            "owner": request.user.pk,
            "resumable": resumable_settings(),
        },
        "megabytes": settings.AUDIO_MAX_BYTES // 2**20,
        "minutes": f"{settings.AUDIO_MAX_SECONDS / 60:g}",
    }
    return render(request, "library/home.html", context)
