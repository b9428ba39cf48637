"""What training tells webhooks: runs that ended, and what was decided about clips."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from genreweb.accounts.webhook_models import WebhookEvent
from genreweb.accounts.webhooks.service import absolute, emit, emit_to_curators
from training.models import Clip, TrainingRun


def run_finished(run_id: UUID) -> None:
    """Tell how a run ended, in the transaction that ends it."""
    run = TrainingRun.objects.only("status", "kind", "candidate_id", "error_code").get(pk=run_id)
    link = absolute(reverse("api:training-run", args=[run.pk]))
    told = {"id": run.pk, "kind": run.kind, "status": run.status, "link": link}
    error = {"code": run.error_code} if run.error_code else None
    data = {"run": {**told, "candidate": run.candidate_id, "error": error}}
    emit_to_curators(event=WebhookEvent.RUN_FINISHED, data=data)


def clip_decided(clip: Clip) -> None:
    """Tell what a curator decided, in the transaction that writes it down."""
    told = {"id": clip.pk, "status": clip.status, "genre": clip.genre.slug, "reason": clip.reason}
    link = absolute(reverse("api:clip", args=[clip.pk]))
    data = {"clip": {**told, "link": link}}
    emit(event=WebhookEvent.CLIP_DECIDED, user_id=clip.contributor_id, data=data)
