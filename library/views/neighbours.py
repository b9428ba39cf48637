"""The neighbours of a track on its page, by the lens that the reader chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier import lens_words
from classifier.core.lenses import HARMONY, LENSES
from classifier.lens_words import LensWords
from library.models import Track
from library.services.lens_queries import query_of
from library.services.similar import Similar, similar

MOST_SHOWN: Final = 8

NOTICES: Final = {
    "moving": _(
        "Older tracks are being prepared for the other ways of comparing. Until that is done, these are "
        "found by harmony."
    ),
    "not_analysed": _(
        "This track was analysed without what that comparison needs, so these are found by harmony. Analyse "
        "the track again to change that."
    ),
    "few": _("Few of the other tracks can be compared so yet, so these are found by harmony."),
}
"""Why neighbours were found by harmony instead, by `library.services.similar.Similar.notice`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The neighbours as the page shows them.

    Attributes
    ----------
    choices
        Lenses that know the track, in order.
    notice
        Why they were found by another lens than the one asked for; empty where they were not.
    """

    found: Similar
    choices: tuple[LensWords, ...]
    notice: str | Promise

    @property
    def lens(self) -> LensWords:
        return lens_words.ALL[self.found.lens]


def shown(request: HttpRequest, track: Track) -> Shown:
    """Find the neighbours of an analysed track by the lens that the address names."""
    query = query_of([track])
    asked = request.GET.get("by")
    found = similar(viewer=request.user, query=query, by=asked if asked in LENSES else None, k=MOST_SHOWN)
    known = [lens for lens in LENSES if lens in query.vectors] if found.notice != "moving" else [HARMONY]
    return Shown(
        found=found,
        choices=tuple(lens_words.ALL[lens] for lens in known),
        notice=NOTICES.get(found.notice, ""),
    )


@require_safe
@never_cache
def neighbours(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the part of a track's page that shows its neighbours, by another lens."""
    track = Track.objects.visible_to(request.user).filter(pk=pk, current__isnull=False).first()
    if track is None:
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=404, headers={"HX-Refresh": "true"})
        raise Http404
    if request.headers.get("HX-Request") != "true":
        return redirect("library:track", pk)
    context: dict[str, Any] = {"track": track, "similar": shown(request, track)}
    return render(request, "library/track/neighbours.html", context)
