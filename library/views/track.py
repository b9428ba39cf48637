"""The page of a track: its sound on one time axis, verdict and neighbours; and the same as files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from classifier.core.ensemble import METADATA_KEY as ENSEMBLE
from classifier.core.tags import in_order
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.api.serializers import TrackSerializer
from library.errors import sentence
from library.models import Analysis, Track, TrackQuerySet
from library.services import explanations, queue
from library.templatetags import sound
from library.views.measures import measures
from library.views.neighbours import shown
from library.views.verdict import GenreOf, Verdict, sound_data
from library.views.why import PATIENCE, Why

MOST_FORMER = 20
_SHOWN = ("current__timeline", "current__peaks", "current__explanation__summary")
_WHY = ("current__explanation__summary",)
_QUERIES: Final = PreparedQueries()


@require_safe
@never_cache
def page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a track, whatever its state."""
    return render(request, "library/track.html", _context(request, _track(request, pk)))


@require_safe
@never_cache
def result(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the progress to a page that polls while the analysis runs, and finally the whole result.

    204 if nothing changed since the last poll, so that nothing flickers or is announced twice by a screen
    reader.
    """
    try:
        track = _track(request, pk)
    except Http404:
        # Deleted meanwhile, or signed out elsewhere: reload the page, which says so.
        return HttpResponse(status=404, headers={"HX-Refresh": "true"})
    if track.is_finished:
        response = render(request, "library/track/finished.html", _context(request, track))
        response["HX-Retarget"] = "#result"
        response["HX-Reswap"] = "outerHTML"
        return response
    progress = Progress.of(track)
    if request.GET.get("seen") == progress.seen:
        return HttpResponse(status=204)
    return render(
        request, "library/track/progress.html", {"track": track, "progress": progress, "news": True}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def why(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show which bands and moments support the genre; with POST, request that explanation.

    Everybody who may see the track may see the explanation; requesting one needs an account.
    """
    try:
        track = _analysed(request, pk, *_WHY)
    except Http404:
        return HttpResponse(status=404, headers={"HX-Refresh": "true"})
    analysis = track.current
    asks = request.method == "POST"
    if analysis is None or not analysis.music:
        raise Http404
    if asks and not request.user.is_authenticated:
        return redirect_to_login(reverse("library:track", args=[pk]))
    if asks:
        explanations.request(analysis=analysis)
        track = _analysed(request, pk, *_WHY)
    if request.headers.get("HX-Request") != "true":
        return redirect("library:track", pk)
    shown = Why.of(track.current, _genre_of(request)) if track.current else None
    if shown is None or (not asks and request.GET.get("seen") == shown.seen):
        return HttpResponse(status=204)
    return render(
        request, "library/track/why.html", {"track": track, "why": shown, "news": True, "asks": asks}
    )


@require_safe
def data(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the result as a file, in the format of the API."""
    track = _analysed(request, pk, "current__timeline")
    response = JsonResponse(
        TrackSerializer(track, context={"request": request}).data,
        json_dumps_params={"indent": 2, "ensure_ascii": False},
    )
    response["Content-Disposition"] = content_disposition_header(True, f"{track.title}.json")
    return response


@require_safe
def timeline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the genre over time as CSV."""
    track = _analysed(request, pk, "current__timeline")
    analysis = track.current
    assert analysis is not None  # noqa: S101  # _analysed
    labels = [label for label in analysis.model_version.labels if label in analysis.probabilities]
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{track.title}.csv")
    table = csv.writer(response)
    table.writerow(["start", "end", *labels])
    for segment in analysis.timeline:
        shares = segment["probabilities"]
        table.writerow([segment["start"], segment["end"], *(shares.get(label, 0.0) for label in labels)])
    return response


@require_safe
def tags(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the strengths of all tags as CSV."""
    track = _analysed(request, pk)
    analysis = track.current
    if analysis is None or not analysis.tags:
        raise Http404
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{track.title} tags.csv")
    table = csv.writer(response)
    table.writerow(["group", "tag", "strength"])
    for group, strengths in in_order(analysis.tags).items():
        table.writerows([group, slug, strength] for slug, strength in strengths.items())
    return response


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of an unfinished analysis.

    Attributes
    ----------
    steps : list of (Track.Step, str)
        Every step, with "done", "now" or "" for later ones.
    no_worker : bool
        Whether it waits for a worker and none is alive.
    """

    track: Track
    steps: list[tuple[Track.Step, str]]
    no_worker: bool

    @property
    def seen(self) -> str:
        """The state shown, which the page sends with its next poll."""
        return f"{self.track.status}-{self.track.step}-{self.no_worker:d}"

    @classmethod
    def of(cls, track: Track) -> Progress:
        order = list(Track.Step)
        reached = order.index(Track.Step(track.step)) if track.step else -1
        states = [
            "done" if place < reached else "now" if place == reached else "" for place in range(len(order))
        ]
        since = track.queued_at or track.created
        waits = track.status == Track.Status.QUEUED and timezone.now() - since > PATIENCE
        return cls(track, list(zip(order, states, strict=True)), waits and not queue.has_worker())


def _track(request: HttpRequest, pk: UUID, *, columns: Sequence[str] = _SHOWN) -> Track:
    """Fetch a track that the user may see, with those long columns that are shown."""
    viewer = [request.user.pk] if request.user.is_authenticated else []
    found = _QUERIES.instances(
        (len(viewer), columns), [*viewer, pk], like=lambda: _like(request.user.is_authenticated, columns)
    )
    if not found:
        raise Http404
    return found[0]


def _like(by_a_person: bool, columns: Sequence[str]) -> tuple[TrackQuerySet, list[Any]]:
    """Query the same for somebody else and another track."""
    viewer, pk = (User(pk=-1) if by_a_person else AnonymousUser()), UUID(int=0)
    tracks = (
        Track.objects.visible_to(viewer)
        .select_related("labelled_genre", "current__model_version", "current__explanation")
        .with_columns(*columns)
        .annotate(uses_tagger=Q(current__model_version__metadata__has_key=ENSEMBLE))
        .filter(pk=pk)
        .order_by()
    )
    return tracks, [*([viewer.pk] if by_a_person else []), pk]


def _former(track: Track) -> list[Analysis]:
    """Read the newest of the analyses before the current one."""

    def like() -> tuple[QuerySet[Analysis], list[Any]]:
        other = Track(pk=UUID(int=0), current_id=-1)
        return other.former_analyses()[:MOST_FORMER], [other.pk, other.current_id]

    return _QUERIES.instances("former", [track.pk, track.current_id], like=like)


def _analysed(request: HttpRequest, pk: UUID, *columns: str) -> Track:
    track = _track(request, pk, columns=columns)
    if track.current is None:
        raise Http404
    return track


def _genre_of(request: HttpRequest) -> GenreOf:
    of_request = Context({"request": request})
    return lambda slug: sound.genre(of_request, slug)


def _context(request: HttpRequest, track: Track) -> dict[str, Any]:
    context: dict[str, Any] = {
        "track": track,
        "mine": track.owner_id is not None and track.owner_id == request.user.pk,
    }
    if track.status == Track.Status.FAILED:
        context["reason"] = sentence(track.error_code, track.error_params)
    elif not track.is_finished:
        context["progress"] = Progress.of(track)
    if track.current is not None:
        genre_of = _genre_of(request)
        uses_tagger = bool(track.uses_tagger)  # type: ignore[attr-defined]  # annotated by `_track`
        verdict = Verdict.of(track.current, genre_of, uses_tagger=uses_tagger)
        context["verdict"] = verdict
        context["pictures"], context["scales"] = verdict.pictures, verdict.scales
        context["why"] = found = Why.of(track.current, genre_of)
        context["has_why"] = found is not None
        context["measures"] = measures(track.current)
        context["sound_data"] = sound_data(verdict)
        context["similar"] = shown(request, track)
        context["former"] = _former(track)
    return context
