"""Curators' decisions about clips, logged in the transaction that changes the clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.domain_errors import DomainError
from genreweb.shown_text import one_line
from training.errors import TrainingError
from training.models import Clip, ClipDecision
from training.services import events

Decision = Literal["approve", "reject", "relabel"]
DECISIONS: tuple[Decision, ...] = ("approve", "reject", "relabel")
REASON_LENGTH = 500
MOST_AT_ONCE = 200
"""Maximum number of decisions in one request."""
UNDOABLE = timedelta(days=1)
"""Time for which a page offers to undo the last decision."""

_DECIDED = (ClipDecision.Action.APPROVE, ClipDecision.Action.REJECT, ClipDecision.Action.RELABEL)
_REVIEWABLE = (Clip.Status.PENDING, Clip.Status.APPROVED, Clip.Status.REJECTED)


@dataclass(frozen=True, slots=True)
class Seen:
    """State of a clip that a curator saw when deciding about it.

    If the state has changed meanwhile, the decision is refused, so that nobody overrules another curator
    unknowingly.

    Attributes
    ----------
    genre : str
        The label it had; empty to ignore the label.
    """

    status: str = Clip.Status.PENDING
    genre: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """A decision to take, one of several."""

    clip_id: UUID
    decision: Decision
    genre: Genre | None = None
    reason: str = ""
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one decision: the clip in its new state, or the error."""

    clip_id: UUID
    clip: Clip | None
    error: DomainError | None = None


def approve(*, clip_id: UUID, by: User, reason: str = "", seen: Seen | None = None) -> Clip:
    """Approve a clip with its current label. One of the test set stays marked as such.

    Approving an approved clip (according to ``seen``) confirms its label and dismisses the doubt about it.

    Raises
    ------
    TrainingError
        ``clip_gone``, ``not_reviewable``, or ``already_reviewed`` if its state differs from `seen`.
    """
    with transaction.atomic():
        clip = _locked(clip_id)
        return _decide(clip, by, ClipDecision.Action.APPROVE, clip.genre, reason=_clean(reason), seen=seen)


def relabel(*, clip_id: UUID, by: User, genre: Genre, reason: str = "", seen: Seen | None = None) -> Clip:
    """Approve a clip with another label; with the current one, as `approve`.

    Raises
    ------
    TrainingError
        As for `approve`.
    """
    with transaction.atomic():
        clip = _locked(clip_id)
        same = genre.pk == clip.genre_id
        action = ClipDecision.Action.APPROVE if same else ClipDecision.Action.RELABEL
        return _decide(clip, by, action, genre, reason=_clean(reason), seen=seen)


def reject(*, clip_id: UUID, by: User, reason: str, seen: Seen | None = None) -> Clip:
    """Reject a clip, with a reason for its contributor.

    Raises
    ------
    TrainingError
        ``reason_missing``, or as for `approve`.
    """
    reason = _clean(reason)
    if not reason:
        raise TrainingError("reason_missing")
    with transaction.atomic():
        clip = _locked(clip_id)
        return _decide(clip, by, ClipDecision.Action.REJECT, clip.genre, reason=reason, seen=seen)


def reopen(*, clip_id: UUID, by: User, reason: str = "") -> Clip:
    """Put a reviewed clip back into the queue, with its contributor's label.

    Raises
    ------
    TrainingError
        ``clip_gone`` or ``not_reviewable``.
    """
    with transaction.atomic():
        clip = _locked(clip_id)
        if clip.status != Clip.Status.PENDING:
            action, waits = ClipDecision.Action.REOPEN, Clip.Status.PENDING
            _write(clip, by, action, _clean(reason), status=waits, genre=clip.contributed_genre)
    return clip


def undo(*, clip_id: UUID, by: User) -> Clip:
    """Undo one's own decision about a clip: its former state is restored.

    Raises
    ------
    TrainingError
        ``clip_gone``, ``already_reviewed`` if somebody decided after that, or ``nothing_to_undo``.
    """
    with transaction.atomic():
        clip = _locked(clip_id)
        last = clip.decisions.select_related("genre_before", "by").first()
        if last is None or last.action not in _DECIDED:
            raise TrainingError("nothing_to_undo")
        if last.by_id != by.pk:
            raise _overtaken(clip, last)
        before, genre = last.status_before, last.genre_before
        _write(clip, by, ClipDecision.Action.UNDO, "", status=before, genre=genre)
        # The reviewer and reason before that are in an earlier decision.
        former = clip.decisions.filter(pk__lt=last.pk, action__in=_DECIDED).first()
        if former is not None and before != Clip.Status.PENDING:
            clip.reviewed_by_id, clip.reviewed_at, clip.reason = former.by_id, former.at, former.reason
            clip.save(update_fields=["reviewed_by", "reviewed_at", "reason"])
    return clip


def decide(*, requested: DecisionRequest, by: User) -> Clip:
    """Take one decision of several.

    Raises
    ------
    TrainingError
        As the single functions; ``unknown_genre`` for a relabelling without a genre.
    """
    clip_id, reason, seen = requested.clip_id, requested.reason, requested.seen
    if requested.decision == "approve":
        return approve(clip_id=clip_id, by=by, reason=reason, seen=seen)
    if requested.decision == "reject":
        return reject(clip_id=clip_id, by=by, reason=reason, seen=seen)
    if requested.genre is None:
        raise TrainingError("unknown_genre")
    return relabel(clip_id=clip_id, by=by, genre=requested.genre, reason=reason, seen=seen)


def decide_many(*, requests: Sequence[DecisionRequest], by: User) -> list[Outcome]:
    """Take several decisions independently: one that fails does not affect the others.

    Raises
    ------
    TrainingError
        ``too_many_decisions``; then nothing was changed.
    """
    if len(requests) > MOST_AT_ONCE:
        raise TrainingError("too_many_decisions", {"most": MOST_AT_ONCE})
    return [_outcome(requested, by) for requested in requests]


def undo_many(*, clip_ids: Iterable[UUID], by: User) -> list[Outcome]:
    """Undo several of one's own decisions independently."""
    outcomes = []
    for clip_id in clip_ids:
        try:
            outcomes.append(Outcome(clip_id, undo(clip_id=clip_id, by=by)))
        except DomainError as error:
            outcomes.append(Outcome(clip_id, None, error))
    return outcomes


def reopen_many(*, clip_ids: Iterable[UUID], by: User) -> list[Outcome]:
    """Put several clips back into the queue independently."""
    outcomes = []
    for clip_id in clip_ids:
        try:
            outcomes.append(Outcome(clip_id, reopen(clip_id=clip_id, by=by)))
        except DomainError as error:
            outcomes.append(Outcome(clip_id, None, error))
    return outcomes


def last_decision(*, by: User) -> ClipDecision | None:
    """Return the latest decision of `by` that can be undone, if it is recent."""
    later = ClipDecision.objects.filter(clip=OuterRef("clip"), pk__gt=OuterRef("pk"))
    mine = ClipDecision.objects.filter(by=by, action__in=_DECIDED, at__gte=timezone.now() - UNDOABLE)
    latest = mine.filter(clip__isnull=False).exclude(Exists(later))
    return latest.select_related("clip", "genre_after").first()


def _outcome(requested: DecisionRequest, by: User) -> Outcome:
    try:
        return Outcome(requested.clip_id, decide(requested=requested, by=by))
    except DomainError as error:
        return Outcome(requested.clip_id, None, error)


def _locked(clip_id: UUID) -> Clip:
    clip = (
        Clip.objects.select_for_update(of=("self",))
        .select_related("genre", "contributed_genre")
        .without_long_columns()
        .filter(pk=clip_id)
        .first()
    )
    if clip is None:
        raise TrainingError("clip_gone")
    if clip.status not in _REVIEWABLE or not clip.features:
        raise TrainingError("not_reviewable")
    return clip


def _decide(
    clip: Clip, by: User, action: ClipDecision.Action, genre: Genre, *, reason: str, seen: Seen | None
) -> Clip:
    """Apply a decision to a locked clip, unless it was taken before or somebody else was first."""
    seen = seen or Seen()
    rejects = action == ClipDecision.Action.REJECT
    status = Clip.Status.REJECTED if rejects else Clip.Status.APPROVED
    last = clip.decisions.select_related("by", "genre_after").first()
    mine = last is not None and last.by_id == by.pk and last.action in _DECIDED
    stands = clip.status == status and clip.genre_id == genre.pk
    # The same decision of the same person twice, by a double click: no error.
    if mine and stands and (clip.reason == reason if rejects else not _is_doubted(clip)):
        return clip
    if clip.status != seen.status or seen.genre not in ("", clip.genre.slug):
        raise _overtaken(clip, last)
    _write(clip, by, action, reason, status=status, genre=genre)
    return clip


def _is_doubted(clip: Clip) -> bool:
    settled = ("", clip.genre.slug, clip.kept_against)
    return clip.doubted_genre == clip.genre.slug and clip.suspected_genre not in settled


def _overtaken(clip: Clip, last: ClipDecision | None) -> TrainingError:
    if last is None:
        return TrainingError("changed_meanwhile", {"title": str(clip)})
    params = {
        "title": str(clip),
        "who": str(last.by or "–"),
        "what": str(last.get_action_display()),
        "genre": last.genre_after.display_name,
    }
    return TrainingError("already_reviewed", params)


def _write(
    clip: Clip, by: User, action: ClipDecision.Action, reason: str, *, status: str, genre: Genre
) -> None:
    """Change a locked clip, and log the curator and the former state."""
    ClipDecision.objects.create(
        clip=clip,
        clip_key=clip.pk,
        by=by,
        action=action,
        genre_before=clip.genre,
        genre_after=genre,
        status_before=clip.status,
        reason=reason,
    )
    # A confirmed label is no longer doubted; a new label is checked with the next check of labels.
    keeps = action == ClipDecision.Action.APPROVE and clip.doubted_genre == genre.slug
    clip.kept_against = clip.suspected_genre if keeps else ""
    decided = action in _DECIDED
    clip.status, clip.genre, clip.reason = status, genre, reason if decided else ""
    clip.reviewed_by, clip.reviewed_at = (by, timezone.now()) if decided else (None, None)
    clip.save(update_fields=["status", "genre", "kept_against", "reviewed_by", "reviewed_at", "reason"])
    if decided:
        events.clip_decided(clip)


def _clean(reason: str) -> str:
    """Clean a reason for display: one line, no control characters, at most REASON_LENGTH characters."""
    return one_line(reason[: 4 * REASON_LENGTH])[:REASON_LENGTH].strip()
