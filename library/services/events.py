"""What the library tells webhooks and pages: tracks and uploads that are done, how far re-analyses are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from genreweb.accounts.webhook_models import WebhookEvent
from genreweb.accounts.webhooks.service import absolute, emit
from genreweb.event_stream import publish_on_commit, publish_to_curators_on_commit
from library.models import Analysis, Reanalysis, Track, UploadBatch, UploadEntry

_ENDED = (UploadBatch.Status.DONE, UploadBatch.Status.FAILED)


def track_analysed(track: Track, analysis: Analysis) -> None:
    """Tell of a verdict, in the transaction that saves it."""
    verdict = {
        "genre": analysis.genre or None,
        "confidence": round(float(analysis.confidence), 4),
        "unsure": analysis.unsure,
    }
    data = {"track": _track(track), "verdict": verdict}
    emit(event=WebhookEvent.TRACK_ANALYSED, user_id=track.owner_id, data=data)
    _publish_track(track, Track.Status.DONE)
    _reanalyses_of(track)
    _batches_of_on_commit(track.pk)


def track_failed(track_id: UUID) -> None:
    """Tell of a track that failed for good, in the transaction that says so."""
    track = Track.objects.filter(pk=track_id).only("title", "owner_id", "visibility", "error_code").first()
    if track is None:
        return
    data = {"track": _track(track), "error": {"code": track.error_code}}
    emit(event=WebhookEvent.TRACK_FAILED, user_id=track.owner_id, data=data)
    _publish_track(track, Track.Status.FAILED)
    _reanalyses_of(track)
    _batches_of_on_commit(track_id)


def track_step(track: Track, step: str) -> None:
    """Tell those who listen how far an analysis is."""
    _publish_track(track, Track.Status.RUNNING, step)


def explained(track: Track) -> None:
    """Tell the owner who watches that a verdict was explained."""
    publish_on_commit(user_id=track.owner_id, event="explanation", data={"id": track.pk})


def _publish_track(track: Track, status: str, step: str = "") -> None:
    told = {"id": track.pk, "status": status, "step": step}
    publish_on_commit(user_id=track.owner_id, event="track", data=told)


def _track(track: Track) -> dict[str, Any]:
    return {"id": track.pk, "title": track.title, "link": absolute(reverse("api:track", args=[track.pk]))}


# --- re-analyses ----------------------------------------------------------------------------------------
def reanalysis_changed(job: Reanalysis) -> None:
    """Tell those who may see a re-analysis that it has come further, or to its end."""
    data = {"id": job.pk, "scope": job.scope, "status": job.status}
    if job.scope == Reanalysis.Scope.MINE:
        publish_on_commit(user_id=job.requested_by_id, event="reanalysis", data=data)
    else:
        publish_to_curators_on_commit(event="reanalysis", data=data)


def _reanalyses_of(track: Track) -> None:
    of_scope = Q(scope=Reanalysis.Scope.MINE, requested_by=track.owner_id)
    if track.visibility == Track.Visibility.CATALOGUE:
        of_scope |= Q(scope=Reanalysis.Scope.CATALOGUE)
    for job in Reanalysis.objects.filter(of_scope, status__in=Reanalysis.ACTIVE):
        reanalysis_changed(job)


# --- uploads --------------------------------------------------------------------------------------------
def batch_ended_on_commit(batch_id: UUID) -> None:
    """Tell of an upload once it is committed that its files are taken in, if its tracks are done already."""
    transaction.on_commit(lambda: _announce(UploadBatch.objects.filter(pk=batch_id)), robust=True)


def _batches_of_on_commit(track_id: UUID) -> None:
    # After the commit: of two tracks that end at once, the later one must see the other.
    of_track = UploadEntry.objects.filter(batch=OuterRef("pk"), track=track_id)
    transaction.on_commit(lambda: _announce(UploadBatch.objects.filter(Exists(of_track))), robust=True)


def _announce(batches: QuerySet[UploadBatch]) -> None:
    going_on = UploadEntry.objects.filter(
        batch=OuterRef("pk"), track__status__in=[Track.Status.QUEUED, Track.Status.RUNNING]
    )
    ended = batches.filter(announced=False, status__in=_ENDED).exclude(Exists(going_on))
    for batch in ended.only("owner_id", "status", "created"):
        with transaction.atomic():
            if UploadBatch.objects.filter(pk=batch.pk, announced=False).update(announced=True):
                emit(event=WebhookEvent.BATCH_FINISHED, user_id=batch.owner_id, data=_batch(batch))
                told = {"id": batch.pk, "status": batch.status}
                publish_on_commit(user_id=batch.owner_id, event="upload", data=told)


def _batch(batch: UploadBatch) -> dict[str, Any]:
    status = Track.Status
    counts = batch.entries.aggregate(
        files=Count("pk"),
        refused=Count("pk", filter=Q(status=UploadEntry.Status.REFUSED)),
        analysed=Count("track", distinct=True, filter=Q(track__status=status.DONE)),
        failed=Count("track", distinct=True, filter=Q(track__status=status.FAILED)),
    )
    link = absolute(reverse("api:upload", args=[batch.pk]))
    return {"upload": {"id": batch.pk, "status": batch.status, "link": link, **counts}}
