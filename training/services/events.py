"""What training tells webhooks: runs that ended, and what was decided about clips."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from genreweb.accounts.webhook_models import WebhookEvent
from genreweb.accounts.webhooks.service import absolute, emit, emit_to_curators
from genreweb.event_stream import publish_on_commit, publish_to_curators_on_commit
from training.models import Clip, LabelCheck, TrainingRun


def run_progress(run_id: UUID, status: str) -> None:
    """Tell curators who watch that a run has come further, or to its end."""
    publish_to_curators_on_commit(event="run", data={"id": run_id, "status": status})


def run_finished(run_id: UUID) -> None:
    """Tell how a run ended, in the transaction that ends it."""
    run = TrainingRun.objects.only("status", "kind", "candidate_id", "error_code", "requested_by").get(
        pk=run_id
    )
    link = absolute(reverse("api:training-run", args=[run.pk]))
    told = {"id": run.pk, "kind": run.kind, "status": run.status, "link": link}
    error = {"code": run.error_code} if run.error_code else None
    data = {"run": {**told, "candidate": run.candidate_id, "error": error}}
    emit_to_curators(event=WebhookEvent.RUN_FINISHED, data=data)
    run_progress(run.pk, run.status)
    if run.requested_by_id is not None:
        publish_on_commit(user_id=run.requested_by_id, event="run", data={"id": run.pk, "status": run.status})


def clip_changed(*, clip_id: UUID, contributor_id: int | None, status: str) -> None:
    """Tell a contributor who watches that a clip was checked or decided."""
    publish_on_commit(user_id=contributor_id, event="clip", data={"id": clip_id, "status": status})


def labels_checked(check: LabelCheck) -> None:
    """Tell curators who watch that a check of the labels has begun or ended."""
    publish_to_curators_on_commit(event="check", data={"id": check.pk, "status": check.status})


def clip_decided(clip: Clip) -> None:
    """Tell what a curator decided, in the transaction that writes it down."""
    told = {"id": clip.pk, "status": clip.status, "genre": clip.genre.slug, "reason": clip.reason}
    link = absolute(reverse("api:clip", args=[clip.pk]))
    data = {"clip": {**told, "link": link}}
    emit(event=WebhookEvent.CLIP_DECIDED, user_id=clip.contributor_id, data=data)
    clip_changed(clip_id=clip.pk, contributor_id=clip.contributor_id, status=clip.status)
