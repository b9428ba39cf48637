"""Lists of clips: filters, bulk decisions, and clips with doubtful labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.post_only import post_only
from library.views.paging import page_of, wants_results
from training.access import curator_required
from training.errors import training_sentence
from training.models import Clip, Dataset, LabelCheck
from training.models.clips import ClipQuerySet
from training.services import health, review
from training.services.review import DECISIONS, MOST_AT_ONCE, DecisionRequest, Outcome, Seen

PER_PAGE = 50
REOPEN = "reopen"
_MOST_WORDS = 8


class ListForm(forms.Form):
    """Filters of a list of clips. Invalid values are ignored, not refused."""

    q = forms.CharField(required=False, max_length=200, label=gettext_lazy("Search"))
    status = forms.ChoiceField(
        required=False,
        label=gettext_lazy("State"),
        choices=[
            ("", gettext_lazy("Waiting")),
            ("approved", gettext_lazy("Approved")),
            ("rejected", gettext_lazy("Rejected")),
            ("all", gettext_lazy("All of them")),
        ],
    )
    genre = forms.ChoiceField(required=False, label=gettext_lazy("Genre"))
    contributor = forms.ChoiceField(required=False, label=gettext_lazy("Contributor"))
    dataset = forms.ChoiceField(required=False, label=gettext_lazy("Dataset"))
    mark = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Marks"),
        choices=[
            ("", gettext_lazy("With any marks")),
            ("duplicates", gettext_lazy("Sounds like another")),
            ("leaks", gettext_lazy("In the frozen test set")),
        ],
    )

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        people = User.objects.filter(clips__isnull=False).distinct().order_by("email")
        choices: dict[str, list[tuple[str, Any]]] = {
            "genre": [("", _("All genres"))] + [(one.slug, one.display_name) for one in Genre.objects.all()],
            "contributor": [("", _("Everybody"))] + [(str(one.pk), str(one)) for one in people],
            "dataset": [("", _("All sources"))] + [(str(one.pk), one.name) for one in Dataset.objects.all()],
        }
        for name, options in choices.items():
            cast(forms.ChoiceField, self.fields[name]).choices = options
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "form-control" if name == "q" else "form-select"
        self.is_valid()

    def value_of(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    @property
    def status_shown(self) -> str:
        return self.value_of("status") or Clip.Status.PENDING

    @property
    def narrows(self) -> bool:
        return any(self.value_of(name) for name in self.fields if name != "status")

    @property
    def query(self) -> str:
        kept = QueryDict(mutable=True)
        kept.update({name: self.value_of(name) for name in self.fields if self.value_of(name)})
        return kept.urlencode()

    def apply(self, clips: ClipQuerySet) -> ClipQuerySet:
        status = self.status_shown
        shown = ("pending", "approved", "rejected") if status == "all" else (status,)
        clips = clips.filter(status__in=shown)
        if slug := self.value_of("genre"):
            clips = clips.filter(genre__slug=slug)
        if person := self.value_of("contributor"):
            clips = clips.filter(contributor=int(person))
        if dataset := self.value_of("dataset"):
            clips = clips.filter(dataset=int(dataset))
        if self.value_of("mark") == "duplicates":
            clips = clips.filter(Q(duplicate_of__isnull=False) | Q(duplicates__isnull=False)).distinct()
        if self.value_of("mark") == "leaks":
            clips = clips.filter(leaks=True)
        for word in self.value_of("q").split()[:_MOST_WORDS]:
            clips = clips.filter(Q(title__icontains=word) | Q(artist__icontains=word))
        if status == Clip.Status.PENDING:
            return clips.order_by(F("disputed").desc(nulls_last=True), "created", "pk")
        return clips.order_by(F("reviewed_at").desc(nulls_last=True), "-created", "pk")


def for_rows(clips: ClipQuerySet) -> ClipQuerySet:
    """Join what the rows of clips show, in one query."""
    related = ("genre", "contributed_genre", "contributor", "dataset", "duplicate_of", "reviewed_by")
    return clips.select_related(*related).defer("embedding", "fingerprint", "tags")


@require_safe
@curator_required
@never_cache
def clips(request: HttpRequest) -> HttpResponse:
    """Show the filtered clips; without a state, those that wait for review."""
    form = ListForm(request.GET)
    found = form.apply(for_rows(Clip.objects.all()))
    context = {
        "form": form,
        "genres": Genre.objects.all(),
        "here": "list",
        "reopens": form.value_of("status") in (Clip.Status.APPROVED, Clip.Status.REJECTED),
        **page_of(cast(Any, found), request, per_page=PER_PAGE, filters=form.query),
    }
    template = "training/review/results.html" if wants_results(request) else "training/review/list.html"
    return render(request, template, context)


@require_safe
@curator_required
@never_cache
def doubts(request: HttpRequest) -> HttpResponse:
    """Show the approved clips with doubtful labels, and the result of the last check."""
    latest = LabelCheck.objects.select_related("version").first()
    # The page polls while a check runs; an unchanged state is not sent again.
    if latest and latest.is_active and request.GET.get("seen") == latest.status and wants_results(request):
        return HttpResponse(status=204)
    found = for_rows(Clip.objects.suspicious())
    context = {
        "genres": Genre.objects.all(),
        "here": "doubts",
        # The links of the list must not contain the parameters of the poll.
        "address": request.path if "seen" in request.GET else "",
        "check": latest,
        "failure": training_sentence(latest.error_code) if latest and latest.error_code else "",
        "least": health.LEAST_CLIPS,
        **page_of(cast(Any, found), request, per_page=PER_PAGE, filters=""),
    }
    template = "training/review/results.html" if wants_results(request) else "training/review/health.html"
    return render(request, template, context)


@curator_required
@post_only("training:review-health")
def check(request: HttpRequest) -> HttpResponse:
    """Have all labels checked in the background, unless a check waits or runs already."""
    health.request_check(by=cast(User, request.user))
    if request.headers.get("HX-Request") == "true":
        return _tell(_("The labels are being checked."), clips_changed=True)
    messages.info(request, _("The labels are being checked."))
    return redirect("training:review-health")


@curator_required
@post_only("training:review-list")
def bulk(request: HttpRequest) -> HttpResponse:
    """Decide about the chosen clips independently, and report the outcomes."""
    by = cast(User, request.user)
    action = request.POST.get("action", "")
    chosen = list(_chosen(request).items())[:MOST_AT_ONCE]
    if not chosen:
        return _reply(request, _("Choose at least one clip."), [])
    genre = None
    if action == "relabel":
        genre = Genre.objects.filter(slug=request.POST.get("genre", "").replace("\0", "")).first()
        if genre is None:
            return _reply(request, _("Choose the right genre first."), [])
    if action == "reject" and not request.POST.get("reason", "").strip():
        return _reply(request, _("Say why first, so that the contributors know."), [])
    if action == REOPEN:
        outcomes = review.reopen_many(clip_ids=[pk for pk, _seen in chosen], by=by)
    elif action in DECISIONS:
        reason = request.POST.get("reason", "") if action == "reject" else ""
        outcomes = review.decide_many(
            requests=[
                DecisionRequest(clip_id=pk, decision=action, genre=genre, reason=reason, seen=seen)
                for pk, seen in chosen
            ],
            by=by,
        )
    else:
        return _reply(request, _("Choose what to do with them."), [])
    return _reply(request, _summary(action, outcomes), outcomes, undoable=action != REOPEN)


@curator_required
@post_only("training:review-list")
def bulk_undo(request: HttpRequest) -> HttpResponse:
    """Undo the decisions about several clips."""
    ids = list(_chosen(request))[:MOST_AT_ONCE]
    outcomes = review.undo_many(clip_ids=ids, by=cast(User, request.user))
    return _reply(request, _summary("undo", outcomes), outcomes, undoable=False)


def _chosen(request: HttpRequest) -> dict[UUID, Seen]:
    """Read the chosen clips, each with its state in the list: ``id.status.genre``."""
    chosen: dict[UUID, Seen] = {}
    for value in request.POST.getlist("clip"):
        key, _dot, seen = value.partition(".")
        status, _dot, slug = seen.partition(".")
        try:
            chosen[UUID(key)] = Seen(status or Clip.Status.PENDING, slug)
        except ValueError:
            continue
    return chosen


def _summary(action: str, outcomes: Sequence[Outcome]) -> str:
    done = sum(outcome.error is None for outcome in outcomes)
    if action == "approve":
        text = ngettext("%d clip is approved.", "%d clips are approved.", done)
    elif action == "reject":
        text = ngettext("%d clip is rejected.", "%d clips are rejected.", done)
    elif action == "relabel":
        text = ngettext("%d clip is relabelled.", "%d clips are relabelled.", done)
    elif action == REOPEN:
        text = ngettext("%d clip waits for review again.", "%d clips wait for review again.", done)
    else:
        text = ngettext("%d decision is taken back.", "%d decisions are taken back.", done)
    parts = [text % done] if done else []
    refused = [outcome.error for outcome in outcomes if outcome.error is not None]
    parts += [error.message for error in refused[:1]]
    if more := len(refused) - 1 if refused else 0:
        parts.append(ngettext("%d more was left alone.", "%d more were left alone.", more) % more)
    return " ".join(parts)


def _reply(
    request: HttpRequest, text: str, outcomes: Sequence[Outcome], *, undoable: bool = False
) -> HttpResponse:
    done = [str(outcome.clip_id) for outcome in outcomes if outcome.error is None]
    if request.headers.get("HX-Request") == "true":
        if not outcomes:
            return _tell(text)
        notice = {
            "text": text,
            "clips": done if undoable else [],
            "url": reverse("training:review-bulk-undo"),
        }
        return HttpResponse(
            status=204,
            headers={"HX-Trigger": json.dumps({"review-done": notice, "clips-changed": True})},
        )
    messages.info(request, text)
    back = request.POST.get("back", "")
    return redirect("training:review-health" if back == "doubts" else "training:review-list")


def _tell(text: str, **events: object) -> HttpResponse:
    trigger = {"toast": {"text": text}, **{name.replace("_", "-"): value for name, value in events.items()}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(trigger)})
