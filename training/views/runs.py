"""Training runs: the preflight report, the form that starts one, and its progress page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from classifier.fitting.architectures import FITTERS
from classifier.models import Genre
from genreweb.accounts.models import User
from training.access import curator_required
from training.errors import TrainingError, training_sentence
from training.models import TrainingRun
from training.run_messages import architecture_words, in_words
from training.services import preflight, runs

Kind, Status = TrainingRun.Kind, TrainingRun.Status

# After this time the page says why it takes long, if the reason is known.
PATIENCE = timedelta(seconds=12)
_PER_PAGE = 20
_FIELD_OF = {
    "run_kind": "kind",
    "run_architecture": "architecture",
    "run_quick_architecture": "architecture",
    "run_epochs": "epochs",
    "run_seed": "seed",
}


class StartForm(forms.Form):
    """The parameters of a run."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of run"), choices=Kind.choices, widget=forms.RadioSelect, initial=Kind.QUICK
    )
    architecture = forms.ChoiceField(label=gettext_lazy("Architecture"), required=False)
    epochs = forms.IntegerField(
        label=gettext_lazy("Epochs"), required=False, min_value=1, max_value=runs.MOST_EPOCHS
    )
    seed = forms.IntegerField(
        label=gettext_lazy("Seed"), required=False, min_value=0, max_value=runs.MOST_SEED
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["architecture"] = forms.ChoiceField(
            label=_("Architecture"),
            required=False,
            choices=[(name, words[0]) for name, words in self.words.items()],
            initial=preflight.DEFAULT_ARCHITECTURE,
        )
        for name, bound in self.fields.items():
            if name != "kind":
                bound.widget.attrs["class"] = "form-select" if name == "architecture" else "form-control"
        self.fields["epochs"].widget.attrs["placeholder"] = _("as usual")
        self.fields["seed"].widget.attrs["placeholder"] = "0"

    @cached_property
    def words(self) -> dict[str, tuple[str, str]]:
        """Title and explanation by name."""
        return {name: architecture_words(name) for name in FITTERS}


@require_http_methods(["GET", "HEAD", "POST"])
@curator_required
@never_cache
def list_runs(request: HttpRequest) -> HttpResponse:
    """Show all runs and the preflight report; with POST, start a run."""
    form = StartForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (started := _start(request, form)):
        return started
    found = preflight.collect(**_queried(form))
    visible = TrainingRun.objects.visible_to(request.user).select_related("requested_by", "candidate")
    page = Paginator(visible.without_long_columns(), _PER_PAGE).get_page(request.GET.get("page"))
    context = {**_preflight_context(found), "form": form, "page": page}
    return render(request, "training/runs/list.html", context, status=422 if form.errors else 200)


def _start(request: HttpRequest, form: StartForm) -> HttpResponse | None:
    fields = form.cleaned_data
    quick = fields["kind"] == Kind.QUICK
    try:
        run, made = runs.request_run(
            by=cast(User, request.user),
            kind=fields["kind"],
            # The page hides these fields for a quick run.
            architecture="" if quick else fields["architecture"],
            epochs=None if quick else fields["epochs"],
            seed=fields["seed"] or 0,
        )
    except TrainingError as error:
        form.add_error(_FIELD_OF.get(error.code), error.message)
        return None
    if not made:
        messages.info(request, _("A run is active already. This is it."))
    return redirect("training:run", run.pk)


@require_safe
@curator_required
@never_cache
def what_is_there(request: HttpRequest) -> HttpResponse:
    """Return the preflight report for a changed form."""
    form = StartForm(request.GET)
    form.is_valid()
    found = preflight.collect(**_queried(form))
    return render(request, "training/runs/preflight.html", {**_preflight_context(found), "form": form})


def _queried(form: StartForm) -> dict[str, Any]:
    """Read the parameters of the report on a full run; invalid values are ignored."""
    asked = getattr(form, "cleaned_data", {})
    return {"architecture": asked.get("architecture") or "", "epochs": asked.get("epochs")}


def _preflight_context(found: preflight.Preflight) -> dict[str, Any]:
    genres = {row.genre.slug: row.genre for row in found.genres}
    words = architecture_words(found.architecture)
    return {
        "found": found,
        "reports": [Shown(report, genres) for report in (found.quick, found.full)],
        "explanation": words[1],
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """The preflight report on one kind of run, in words."""

    report: preflight.Report
    genres: dict[str, Genre]

    @property
    def duration(self) -> str:
        return in_minutes(self.report.seconds)

    @property
    def problems(self) -> list[str]:
        return [error.message for error in self.report.problems]

    @property
    def notes(self) -> list[str]:
        return [sentence for _code, sentence in preflight.readable(self.report.notes, self.genres)]


@require_safe
@curator_required
@never_cache
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a run in any state."""
    return render(request, "training/runs/run.html", {"shown": Progress.of(_run(request, pk))})


@require_safe
@curator_required
@never_cache
def progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the progress to a page that polls while the run goes on; 204 if nothing changed."""
    try:
        shown = Progress.of(_run(request, pk))
    except Http404:
        return HttpResponse(status=404, headers={"HX-Refresh": "true"})
    seen = request.GET.get("seen", "")
    if seen == shown.seen:
        return HttpResponse(status=204)
    news = seen.partition("/")[0] != shown.stage
    return render(request, "training/runs/live.html", {"shown": shown, "news": news})


@require_http_methods(["GET", "HEAD", "POST"])
@curator_required
@never_cache
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for confirmation to cancel a run; with POST, cancel it."""
    chosen = _run(request, pk)
    if request.method == "POST":
        if not runs.cancel_run(run=chosen):
            messages.info(request, _("The run was over already."))
        return redirect("training:run", chosen.pk)
    template = "cancel_form.html" if request.headers.get("HX-Request") == "true" else "cancel.html"
    return render(request, f"training/runs/{template}", {"run": chosen})


@dataclass(frozen=True, slots=True)
class Progress:
    """A run prepared for its page.

    Attributes
    ----------
    steps : list of (TrainingRun.Step, str)
        Every step, with "done", "now" or "" for later ones.
    curves : list of dict
        Figures by epoch.
    log : list of (datetime, str)
        Its lines in words.
    no_worker : bool
        Whether it waits for a worker and none is alive.
    """

    run: TrainingRun
    steps: list[tuple[TrainingRun.Step, str]]
    curves: list[dict[str, Any]]
    log: list[tuple[Any, str]]
    no_worker: bool

    @classmethod
    def of(cls, run: TrainingRun) -> Progress:
        order = list(TrainingRun.Step)
        reached = order.index(TrainingRun.Step(run.step)) if run.step else -1
        over = len(order) if run.status == Status.DONE else reached
        states = [
            "done" if place < over else "now" if place == reached else "" for place in range(len(order))
        ]
        fields = ("number", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
        genres = Genre.objects.in_bulk(field_name="slug")
        waits = run.status == Status.QUEUED and timezone.now() - run.queued_at > PATIENCE
        return cls(
            run=run,
            steps=list(zip(order, states, strict=True)),
            curves=list(run.epoch_rows.values(*fields)),
            log=[
                (line.at, in_words(line.code, preflight.named(line.params, genres)))
                for line in run.messages.all()
            ],
            no_worker=waits and not runs.has_worker(),
        )

    @property
    def stage(self) -> str:
        """Text that a screen reader announces when it changes."""
        return f"{self.run.status}-{self.run.step}-{self.run.cancel_requested:d}-{self.no_worker:d}"

    @property
    def seen(self) -> str:
        """The state shown, which the page sends with its next poll."""
        return f"{self.stage}/{self.run.progress:.4f}-{len(self.curves)}-{len(self.log)}"

    @property
    def percent(self) -> int:
        return round(100 * self.run.progress)

    @property
    def left(self) -> str:
        """Estimated remaining time in words; empty if unknown."""
        return "" if self.run.eta_seconds is None else in_minutes(self.run.eta_seconds)

    @property
    def taken(self) -> str:
        """Duration in words."""
        start, end = self.run.started_at, self.run.finished_at
        return in_minutes((end - start).total_seconds()) if start and end else ""

    @property
    def reason(self) -> str:
        """Why it failed."""
        return training_sentence(self.run.error_code, self.run.error_params) if self.run.error_code else ""

    @property
    def architecture(self) -> str:
        return architecture_words(self.run.architecture)[0]

    @property
    def candidate_url(self) -> str:
        if self.run.candidate_id is None:
            return ""
        try:
            return reverse("training:version", args=[self.run.candidate_id])
        except NoReverseMatch:
            return ""


def in_minutes(seconds: float) -> str:
    """Format a rough duration in words."""
    if seconds < 90:
        rounded = max(5 * round(seconds / 5), 5)
        return ngettext("{number} second", "{number} seconds", rounded).format(number=rounded)
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("{number} minute", "{number} minutes", minutes).format(number=minutes)
    hours = seconds / 3600
    return _("{number} hours").format(number=number_format(hours, decimal_pos=1 if hours < 10 else 0))


def _run(request: HttpRequest, pk: UUID) -> TrainingRun:
    found = (
        TrainingRun.objects.visible_to(request.user)
        .select_related("requested_by", "candidate", "snapshot")
        .without_long_columns()
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Http404
    return found
