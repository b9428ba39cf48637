"""Clips, decisions, datasets, receipts, runs and promotions in Django's admin."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from training.errors import training_sentence
from training.models import Clip, ClipDecision, Dataset, Promotion, Receipt, TrainingEpoch, TrainingRun
from training.services import review
from training.services.review import MOST_AT_ONCE, REASON_LENGTH, Decision, DecisionRequest, Outcome, Seen


class ReadOnly:
    """Read-only rows: they are written elsewhere, and other rows depend on them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DecisionInline(ReadOnly, admin.TabularInline[ClipDecision, Clip]):
    """Decisions about a clip, the newest first."""

    model = ClipDecision
    fields = readonly_fields = (
        "at",
        "by",
        "action",
        "status_before",
        "genre_before",
        "genre_after",
        "reason",
    )
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClipDecision]:
        return super().get_queryset(request).select_related("by", "genre_before", "genre_after")


class VersionFilter(admin.RelatedFieldListFilter):
    """Filter by a version; its name is all that is loaded of each."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        return list(ModelVersion.objects.order_by("-created").values_list("pk", "name"))


class RejectForm(forms.Form):
    """The reason to reject the chosen clips."""

    reason = forms.CharField(label=_("Reason"), max_length=REASON_LENGTH)


class RelabelForm(forms.Form):
    """The new genre of the chosen clips."""

    genre = forms.ModelChoiceField(label=_("Right genre"), queryset=Genre.objects.all())
    reason = forms.CharField(label=_("Reason"), max_length=REASON_LENGTH, required=False)


_RELATED = ("genre", "contributor", "dataset", "duplicate_of", "opinion_version")
_OF_THE_PREDICTION = ("opinion_version", "prediction_text", "disputed", "suspicion", "suspected_genre")
_OF_THE_CLIP = (
    *("id", "contributor", "dataset", "dataset_key", "part", "repetition_group", "track", "origin"),
    *("start", "end", "duration", "size", "sha256", "features_sha256", "feature_version"),
    *("rights_confirmed_at", "created", "failure", "attempt", "tries"),
)


@admin.register(Clip)
class ClipAdmin(admin.ModelAdmin[Clip]):
    """All clips of the site. Decisions use the same service as the review page."""

    inlines = (DecisionInline,)
    list_display = ("name", "genre", "status", "source", "disputed_share", "leaks", "twin", "created")
    list_filter = (
        *("status", "genre", "leaks", "dataset", "part"),
        ("opinion_version", VersionFilter),
        "created",
    )
    list_per_page = 50
    search_fields = ("title", "artist", "contributor__email", "=id", "=sha256", "dataset_key")
    search_help_text = _("Title, artist, contributor’s e-mail address, id, SHA-256 or place in the dataset")
    show_full_result_count = False
    actions = ("approve", "reject", "relabel", "reopen")
    fields = (
        "title",
        "artist",
        "comment",
        "player",
        "picture",
        ("status", "genre", "contributed_genre"),
        ("reviewed_by", "reviewed_at", "reason"),
        ("leaks", "leaks_into", "duplicate_of"),
        *_OF_THE_PREDICTION,
        *_OF_THE_CLIP,
    )
    readonly_fields = (
        *("player", "picture", "status", "genre", "contributed_genre"),
        *("reviewed_by", "reviewed_at", "reason", "leaks", "leaks_into", "duplicate_of"),
        *_OF_THE_PREDICTION,
        *_OF_THE_CLIP,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Clip]:
        joined = Clip.objects.select_related(*_RELATED)
        return joined.without_long_columns()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Clips are only added through the pages, the API or an import, which check them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only contributors delete clips, with their files; curators reject them."""
        return False

    def save_model(self, request: HttpRequest, obj: Clip, form: Any, change: bool) -> None:
        # A worker or a curator may have changed the row since the form was shown.
        obj.save(update_fields=form.changed_data)

    @admin.action(description=_("Approve"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Clip]) -> None:
        self._decide(request, queryset, "approve")

    @admin.action(description=_("Reject with a reason…"), permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Clip]) -> HttpResponse | None:
        return self._ask(request, queryset, "reject", RejectForm, _("Reject clips"))

    @admin.action(description=_("Relabel…"), permissions=["change"])
    def relabel(self, request: HttpRequest, queryset: QuerySet[Clip]) -> HttpResponse | None:
        return self._ask(request, queryset, "relabel", RelabelForm, _("Relabel clips"))

    @admin.action(description=_("Put back into the queue"), permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Clip]) -> None:
        ids = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if self._are_few(request, len(ids)):
            self._tell(request, review.reopen_many(clip_ids=ids, by=cast(User, request.user)))

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Clip],
        decision: Decision,
        kind: type[forms.Form],
        title: Any,
    ) -> HttpResponse | None:
        """Show an intermediate page with a form; once it is filled in, decide."""
        form = kind(request.POST if "decided" in request.POST else None)
        if form.is_bound and form.is_valid():
            data = form.cleaned_data
            self._decide(request, queryset, decision, genre=data.get("genre"), reason=data.get("reason", ""))
            return None
        clips = list(queryset[: MOST_AT_ONCE + 1])
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "clips": clips,
            "action": decision,
        }
        return render(request, "admin/training/clip/decide.html", context)

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Clip],
        decision: Decision,
        *,
        genre: Genre | None = None,
        reason: str = "",
    ) -> None:
        """Decide about clips in their current state, which the list shows."""
        clips = list(queryset.values_list("pk", "status", "genre__slug"))
        if not self._are_few(request, len(clips)):
            return
        requests = [
            DecisionRequest(
                clip_id=pk, decision=decision, genre=genre, reason=reason, seen=Seen(status, slug)
            )
            for pk, status, slug in clips
        ]
        self._tell(request, review.decide_many(requests=requests, by=cast(User, request.user)))

    def _are_few(self, request: HttpRequest, count: int) -> bool:
        if count > MOST_AT_ONCE:
            too_many = training_sentence("too_many_decisions", {"most": MOST_AT_ONCE})
            self.message_user(request, too_many, messages.ERROR)
        return count <= MOST_AT_ONCE

    def _tell(self, request: HttpRequest, outcomes: list[Outcome]) -> None:
        refused = [outcome.error for outcome in outcomes if outcome.error is not None]
        if done := len(outcomes) - len(refused):
            text = ngettext("%d clip is decided about.", "%d clips are decided about.", done)
            self.message_user(request, text % done, messages.SUCCESS)
        for sentence in dict.fromkeys(error.message for error in refused):
            self.message_user(request, sentence, messages.WARNING)

    @admin.display(description=_("title"), ordering="title")
    def name(self, clip: Clip) -> str:
        return str(clip)

    @admin.display(description=_("from"))
    def source(self, clip: Clip) -> str:
        return str(clip.dataset or clip.contributor or "–")

    @admin.display(description=_("disagreement"), ordering="disputed", empty_value="–")
    def disputed_share(self, clip: Clip) -> str | None:
        return None if clip.disputed is None else f"{clip.disputed:.0%}"

    @admin.display(description=_("sounds like"), empty_value="–")
    def twin(self, clip: Clip) -> str | None:
        return str(clip.duplicate_of) if clip.duplicate_of else None

    @admin.display(description=_("player"), empty_value="–")
    def player(self, clip: Clip) -> str | None:
        if not clip.sound:
            return None
        return format_html('<audio controls preload="none" src="{}"></audio>', clip.sound.url)

    @admin.display(description=_("mel spectrogram"), empty_value="–")
    def picture(self, clip: Clip) -> str | None:
        if not clip.features:
            return None
        address = reverse("training:review-picture", args=[clip.pk])
        return format_html('<img src="{}" alt="" width="800" height="128">', address)

    @admin.display(description=_("its probabilities"))
    def prediction_text(self, clip: Clip) -> str:
        shares = sorted(clip.opinion.items(), key=lambda item: -item[1])
        names = Genre.names() if shares else {}
        return ", ".join(f"{names.get(label, label)} {share:.0%}" for label, share in shares) or "–"

    @admin.display(description=_("failure"))
    def failure(self, clip: Clip) -> str:
        if not clip.error_code:
            return "–"
        return f"{clip.error_code}: {training_sentence(clip.error_code, clip.error_params)}"


@admin.register(ClipDecision)
class ClipDecisionAdmin(ReadOnly, admin.ModelAdmin[ClipDecision]):
    """Log of the decisions about clips."""

    list_display = ("at", "about", "by", "action", "genre_before", "genre_after", "reason")
    list_filter = ("action", "by", "at")
    search_fields = ("clip__title", "by__email", "reason", "=clip_key")
    show_full_result_count = False
    fields = readonly_fields = (
        *("at", "about", "clip_key", "by", "action"),
        *("status_before", "genre_before", "genre_after", "reason"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClipDecision]:
        return super().get_queryset(request).select_related("clip", "by", "genre_before", "genre_after")

    @admin.display(description=_("clip"), ordering="clip__title")
    def about(self, decision: ClipDecision) -> str:
        if decision.clip is None:
            return gettext("A clip that was withdrawn")
        address = reverse("admin:training_clip_change", args=[decision.clip.pk])
        return format_html('<a href="{}">{}</a>', address, decision.clip)


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin[Dataset]):
    """Datasets that were imported with `manage.py import_dataset`."""

    list_display = ("name", "source", "licence", "trusted", "clip_count", "imported_by", "created")
    list_filter = ("trusted",)
    search_fields = ("name", "source", "licence")
    readonly_fields = ("imported_by", "created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        return super().get_queryset(request).annotate(n_clips=Count("clips")).select_related("imported_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The files of its clips would be left over, and versions depend on them."""
        return False

    @admin.display(description=_("clips"), ordering="n_clips")
    def clip_count(self, dataset: Dataset) -> int:
        return int(dataset.n_clips)  # type: ignore[attr-defined]  # annotated above


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, admin.ModelAdmin[Receipt]):
    """Receipts of contributors for the versions that were trained on their clips."""

    list_display = ("created", "user", "version", "clips", "seen_at")
    list_filter = (("version", VersionFilter),)
    search_fields = ("user__email", "version__name")
    list_select_related = ("user", "version")


class EpochInline(ReadOnly, admin.TabularInline[TrainingEpoch, TrainingRun]):
    """The figures of a run by epoch."""

    model = TrainingEpoch
    fields = readonly_fields = ("number", "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "at")
    extra = 0


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnly, admin.ModelAdmin[TrainingRun]):
    """Training runs, read-only: they are started, cancelled and compared on their own pages."""

    inlines = (EpochInline,)
    list_display = ("created", "kind", "architecture", "epochs", "status", "requested_by", "candidate")
    list_filter = ("status", "kind", "architecture")
    exclude = ("judgement",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainingRun]:
        runs = TrainingRun.objects.select_related("requested_by", "candidate", "snapshot")
        return runs.without_long_columns()


@admin.register(Promotion)
class PromotionAdmin(ReadOnly, admin.ModelAdmin[Promotion]):
    """Log of the versions that were put into service."""

    list_display = ("at", "action", "version", "former", "by", "overridden", "reason")
    list_filter = ("action", "overridden")
    list_select_related = ("version", "former", "by")
    fields = readonly_fields = (
        *("at", "action", "version", "former", "by", "reason", "overridden", "gate_text"),
    )

    @admin.display(description=_("gate"))
    def gate_text(self, promotion: Promotion) -> str:
        text = json.dumps(promotion.gate, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="facts">{}</pre>', text)
