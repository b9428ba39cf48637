"""The review queue: one clip after the other, with prefetching."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import etag, require_safe

from classifier.core import pictures
from classifier.core.patches import PatchParams
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.domain_errors import DomainError
from genreweb.post_only import post_only
from library.templatetags import sound
from library.views.verdict import GenreOf
from training.access import curator_required
from training.errors import TrainingError
from training.models import Clip
from training.services import review
from training.services.features import FeaturesError, read_features
from training.services.review import DECISIONS, DecisionRequest, Seen
from training.views.review_cards import (
    QUEUE,
    SOURCES,
    Card,
    card_of,
    clips_of,
    for_cards,
    picks,
    title_of,
    wanted,
)

AHEAD = 2
"""Number of cards that are prefetched."""
MOST_KNOWN = 100
_WEEK = 7 * 24 * 3600


@require_safe
@curator_required
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Show the next clip to review; ``clip`` puts a certain one first, ``skip`` leaves some out."""
    source = _source(request.GET.get("of", ""))
    skipped = _ids(request.GET.getlist("skip"))
    first = _ids([request.GET.get("clip", "")])
    clips = list(for_cards(Clip.objects.filter(pk__in=first, status__in=_SHOWN)))
    clips += wanted(source, without=[*skipped, *first])[: AHEAD + 1 - len(clips)]
    cards = _cards(request, clips, source)
    context = {
        "source": source,
        "card": cards[0] if cards else None,
        "ahead": cards[1:],
        "skipped": skipped,
        **_shared(),
        **_standing(request, source),
    }
    return render(request, "training/review/review.html", context)


@require_safe
@curator_required
@never_cache
def upcoming(request: HttpRequest) -> HttpResponse:
    """Return the next cards, except those that the page has already."""
    source = _source(request.GET.get("of", ""))
    return JsonResponse(_answer(request, source, request.GET.getlist("have")))


@curator_required
@post_only("training:review")
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a decision; return its outcome and the next cards to the page's script."""
    source = _source(request.POST.get("of", ""))
    try:
        clip = review.decide(requested=_requested(request, pk), by=cast(User, request.user))
    except DomainError as error:
        return _refusal(request, source, error)
    text = _outcome_text(clip, source)
    if not _by_script(request):
        messages.success(request, text)
        return redirect(f"{reverse('training:review')}?of={source}")
    return JsonResponse({**_answer(request, source, request.POST.getlist("have")), "text": text})


@curator_required
@post_only("training:review")
def undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Undo one's own decision; its clip is the next to review."""
    source = _source(request.POST.get("of", ""))
    try:
        clip = review.undo(clip_id=pk, by=cast(User, request.user))
    except DomainError as error:
        return _refusal(request, source, error)
    text = _("Taken back: {title}.").format(title=title_of(clip))
    if not _by_script(request):
        messages.success(request, text)
        return redirect(f"{reverse('training:review')}?of={source}&clip={pk}")
    shown = _cards(request, for_cards(Clip.objects.filter(pk=pk)), source)
    return JsonResponse(
        {**_answer(request, source, [*request.POST.getlist("have"), str(pk)]), "text": text}
        | {"back": [_html(request, card) for card in shown]}
    )


def _digest(request: HttpRequest, pk: UUID) -> str | None:
    digest = Clip.objects.visible_to(request.user).filter(pk=pk).values_list("features_sha256", flat=True)
    found = digest.first()
    return f'"{found}"' if found else None


@require_safe
@curator_required
@cache_control(private=True, max_age=_WEEK)
@etag(_digest)
def picture(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Draw the mel spectrogram of a clip from its features, with caching, as these never change."""
    clip = get_object_or_404(Clip.objects.visible_to(request.user).only("features"), pk=pk)
    try:
        db = read_features(clip).db
    except (FeaturesError, OSError) as error:
        raise Http404 from error
    drawn = pictures.mel_columns(db, PatchParams().sample_rate)
    return HttpResponse(drawn.data, content_type=drawn.media_type)


_SHOWN = (Clip.Status.PENDING, Clip.Status.APPROVED, Clip.Status.REJECTED)


def genre_of(request: HttpRequest) -> GenreOf:
    of_request = Context({"request": request})
    return lambda slug: sound.genre(of_request, slug)


def _source(value: str) -> str:
    return value if value in SOURCES else QUEUE


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _ids(values: Iterable[str]) -> list[UUID]:
    found = []
    for value in list(values)[:MOST_KNOWN]:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def _requested(request: HttpRequest, pk: UUID) -> DecisionRequest:
    """Read a decision from the form; ``relabel:rock`` contains the genre."""
    name, _colon, slug = request.POST.get("decision", "").partition(":")
    if name not in DECISIONS:
        raise TrainingError("unknown_decision")
    genre = Genre.objects.filter(slug=slug.replace("\0", "")).first() if name == "relabel" else None
    status, _dot, label = request.POST.get("seen", "").partition(".")
    return DecisionRequest(
        clip_id=pk,
        decision=name,
        genre=genre,
        reason=request.POST.get("reason", ""),
        seen=Seen(status or Clip.Status.PENDING, label),
    )


def _outcome_text(clip: Clip, source: str) -> str:
    title, genre = title_of(clip), clip.genre.display_name
    if clip.status == Clip.Status.REJECTED:
        return _("Rejected: {title}.").format(title=title)
    if clip.genre_id != clip.contributed_genre_id and source == QUEUE:
        return _("{title} is approved as {genre}.").format(title=title, genre=genre)
    return _("Approved: {title}, {genre}.").format(title=title, genre=genre)


def _refusal(request: HttpRequest, source: str, error: DomainError) -> HttpResponse:
    if not _by_script(request):
        messages.error(request, error.message)
        return redirect(f"{reverse('training:review')}?of={source}")
    # A clip that somebody else decided about or withdrew leaves the list; other errors can be retried.
    settled = error.code in ("already_reviewed", "changed_meanwhile", "clip_gone", "not_reviewable")
    body = _answer(request, source, request.POST.getlist("have"))
    return JsonResponse(
        {**body, "error": {"code": error.code, "message": error.message}, "settled": settled},
        status=409 if settled else 400,
    )


def _answer(request: HttpRequest, source: str, known: list[str]) -> dict[str, Any]:
    """Return the cards that the page lacks, and the counts."""
    cards = _cards(request, wanted(source, without=_ids(known))[:AHEAD], source)
    standing = _standing(request, source)
    return {
        "cards": [_html(request, card) for card in cards],
        "waiting": standing["waiting"],
        "standing": render_to_string(
            "training/review/standing.html", {**standing, "source": source}, request=request
        ),
    }


def _cards(request: HttpRequest, clips: Iterable[Clip], source: str) -> list[Card]:
    return [card_of(clip, source, genre_of(request)) for clip in clips]


def _html(request: HttpRequest, card: Card) -> str:
    return render_to_string("training/review/card.html", {"card": card, **_shared()}, request=request)


def _shared() -> dict[str, Any]:
    """Return the context shared by all cards: genres by key, and the usual reasons to reject."""
    reasons = (
        _("No music, or hardly any."),
        _("The sound is too poor."),
        _("It does not belong to any of the genres."),
        _("It mixes several genres."),
        _("It is here already."),
        _("It may not be used."),
    )
    return {
        "picks": picks(Genre.objects.all()),
        "reasons": [(str(place), reason) for place, reason in enumerate(reasons, start=1)],
    }


def _standing(request: HttpRequest, source: str) -> dict[str, Any]:
    return {
        "waiting": clips_of(source).count(),
        "last": review.last_decision(by=cast(User, request.user)),
    }
