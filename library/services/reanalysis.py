"""Have every track of a person, or of the catalogue, analysed by the version in service.

There is no list of what a re-analysis still has to do: left are the tracks that an older version analysed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.errors import TrackError
from library.models import Analysis, Reanalysis, Track, TrackQuerySet
from library.services import events, queue

Scope, Status = Reanalysis.Scope, Reanalysis.Status

LOT = 50
"""Tracks that wait for the workers at a time: a pause takes hold after these, and uploads are not held up."""

_QUERIES: Final = PreparedQueries()
_WAITING = (Track.Status.QUEUED, Track.Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a re-analysis has come.

    Attributes
    ----------
    done, total : int
        Tracks; those that failed count as done.
    failed : int
        Tracks that could not be analysed again and keep their old verdict.
    changed : int
        Tracks that are now said to be of another genre.
    """

    done: int
    total: int
    failed: int
    changed: int

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """A track whose genre changed, with its analysis before."""

    track: Track
    before: Analysis


def within(scope: str, user: User) -> TrackQuerySet:
    """Give the tracks of a scope."""
    return Track.objects.owned_by(user) if scope == Scope.MINE else Track.objects.in_catalogue()


def outdated(tracks: TrackQuerySet) -> TrackQuerySet:
    """Keep the tracks whose verdict is of a version that is no longer in service."""
    # By their keys: then the database knows how few they are, and finds them by their version.
    rows = _QUERIES.rows("former", [], like=lambda: (_former().values_list("pk"), []))
    return tracks.filter(current__model_version__in=[pk for (pk,) in rows])


def _former() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(is_in_service=False).order_by()


def may_request(*, user: User, scope: str) -> bool:
    """Tell whether `user` may request `scope`: their own tracks, and as a curator the catalogue."""
    return scope == Scope.MINE or (scope == Scope.CATALOGUE and user.is_curator)


def active(*, user: User, scope: str) -> Reanalysis | None:
    """Give the re-analysis of `scope` that runs or is paused."""
    return _theirs(user, scope).filter(status__in=Reanalysis.ACTIVE).first()


def latest(*, user: User, scope: str) -> Reanalysis | None:
    """Give the last re-analysis of `scope`, active or not."""
    mine = scope == Scope.MINE

    def like() -> tuple[QuerySet[Reanalysis], list[int]]:
        return _theirs(User(pk=-1), scope)[:1], [-1] if mine else []

    found = _QUERIES.instances(("latest", scope), [user.pk] if mine else [], like=like)
    return found[0] if found else None


def visible_to(user: User) -> QuerySet[Reanalysis]:
    """Give the re-analyses that `user` may see and steer: their own, and as a curator the catalogue's."""
    mine = Q(scope=Scope.MINE, requested_by=user)
    return Reanalysis.objects.filter(mine | Q(scope=Scope.CATALOGUE) if user.is_curator else mine)


def _theirs(user: User, scope: str) -> QuerySet[Reanalysis]:
    rows = Reanalysis.objects.filter(scope=scope)
    return rows.filter(requested_by=user) if scope == Scope.MINE else rows


def request(*, by: User, scope: str) -> tuple[Reanalysis, bool]:
    """Begin a re-analysis, or give the one of this scope that is under way; True where it is new.

    Raises
    ------
    TrackError
        ``nothing_outdated`` where every track has the verdict of the version in service.
    """
    running = active(user=by, scope=scope)
    if running:
        return running, False
    total = outdated(within(scope, by)).exclude(status=Track.Status.FAILED).count()
    if not total:
        raise TrackError("nothing_outdated")
    try:
        with transaction.atomic():
            job = Reanalysis.objects.create(requested_by=by, scope=scope, total=total)
            transaction.on_commit(lambda: advance(job_id=job.pk), robust=True)
    except IntegrityError:
        # Somebody else, or a double click, was first.
        running = active(user=by, scope=scope)
        if running is None:
            raise
        return running, False
    job.refresh_from_db()
    return job, True


def pause(*, job: Reanalysis) -> None:
    """Feed the workers no more for now; what waits already is finished."""
    Reanalysis.objects.filter(pk=job.pk, status=Status.RUNNING).update(status=Status.PAUSED)
    job.refresh_from_db()
    events.reanalysis_changed(job)


def resume(*, job: Reanalysis) -> None:
    """Go on after a pause."""
    if Reanalysis.objects.filter(pk=job.pk, status=Status.PAUSED).update(status=Status.RUNNING):
        transaction.on_commit(lambda: advance(job_id=job.pk), robust=True)
    job.refresh_from_db()
    events.reanalysis_changed(job)


def cancel(*, job: Reanalysis) -> None:
    """Stop for good; tracks that were not reached keep the verdicts that they have."""
    Reanalysis.objects.filter(pk=job.pk, status__in=Reanalysis.ACTIVE).update(
        status=Status.CANCELLED, finished_at=timezone.now()
    )
    job.refresh_from_db()
    events.reanalysis_changed(job)


def sweep() -> None:
    """Feed every running re-analysis."""
    for pk in Reanalysis.objects.filter(status=Status.RUNNING).values_list("pk", flat=True):
        advance(job_id=pk)


def advance(*, job_id: int) -> int:
    """Queue the next tracks of a re-analysis, or end it where none is left; give how many were queued."""
    if ModelVersion.objects.in_service() is None:
        return 0
    with transaction.atomic():
        job = (
            Reanalysis.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("requested_by")
            .filter(pk=job_id, status=Status.RUNNING)
            .first()
        )
        if job is None:
            return 0
        left = outdated(within(job.scope, job.requested_by))
        waiting = left.filter(status__in=_WAITING).count()
        room = max(LOT - waiting, 0)
        ids = list(left.filter(status=Track.Status.DONE).order_by("pk").values_list("pk", flat=True)[:room])
        if not ids and not waiting:
            job.status, job.finished_at = Status.DONE, timezone.now()
            job.save(update_fields=["status", "finished_at"])
            events.reanalysis_changed(job)
            return 0
        # A promotion while it runs makes more of them outdated.
        Reanalysis.objects.filter(pk=job.pk).update(total=max(job.total, _left(job)))
        Track.objects.filter(pk__in=ids, status=Track.Status.DONE).queue_again()
        for pk in ids:
            queue.send_on_commit(pk, bulk=True)
        if ids:
            events.reanalysis_changed(job)
    return len(ids)


def progress(job: Reanalysis) -> Progress:
    """Count what a re-analysis has done."""
    tracks = within(job.scope, job.requested_by)
    failed = outdated(tracks).filter(status=Track.Status.FAILED, finished_at__gte=job.created).count()
    left = 0 if job.status == Status.DONE else _left(job)
    return Progress(
        done=max(job.total - left, 0), total=job.total, failed=failed, changed=_changed(job).count()
    )


def _left(job: Reanalysis) -> int:
    return outdated(within(job.scope, job.requested_by)).exclude(status=Track.Status.FAILED).count()


def _changed(job: Reanalysis) -> TrackQuerySet:
    """Keep the tracks that got another genre since `job` began, with the key of the analysis before it."""
    earlier = Analysis.objects.filter(track=OuterRef("pk"), created__lt=job.created).order_by("-created")
    since = Analysis.objects.filter(pk=OuterRef("current_id"), created__gte=job.created)
    if job.finished_at:
        since = since.filter(created__lte=job.finished_at)
    return (
        within(job.scope, job.requested_by)
        .filter(Exists(since))
        .annotate(
            former=Subquery(earlier.values("pk")[:1]), former_genre=Subquery(earlier.values("genre")[:1])
        )
        .filter(former__isnull=False)
        .exclude(former_genre=F("current__genre"))
    )


def changes(job: Reanalysis, *, most: int) -> list[Change]:
    """List the tracks that got another genre, at most so many, by title."""
    tracks = list(_changed(job).with_verdict().order_by("title", "pk")[:most])
    former = (
        Analysis.objects.select_related("model_version")
        .without_long_columns()
        .in_bulk([track.former for track in tracks])  # type: ignore[attr-defined]  # annotated above
    )
    return [Change(track, former[track.former]) for track in tracks]  # type: ignore[attr-defined]
