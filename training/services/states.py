"""The states of clips that contributors see, and the versions that were trained on them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from training.models import Clip, Promotion, SnapshotClip
from training.models.clips import ClipQuerySet

USED = "used"
STATES = (*Clip.Status.choices, (USED, USED))


def learnt() -> QuerySet[SnapshotClip]:
    """Return the snapshot entries that a version was trained on which then went into service."""
    promoted = Promotion.objects.filter(
        action=Promotion.Action.PROMOTE, version=OuterRef("snapshot__run__candidate")
    )
    return SnapshotClip.objects.filter(Exists(promoted)).exclude(split=SnapshotClip.Split.TEST)


def in_states(clips: ClipQuerySet, states: list[str]) -> ClipQuerySet:
    """Filter clips by states."""
    kept = clips.filter(status__in=[state for state in states if state != USED])
    if USED not in states:
        return kept
    used = Exists(learnt().filter(clip=OuterRef("pk")))
    return kept | clips.filter(used, status=Clip.Status.APPROVED, leaks=False)


def with_versions(clips: ClipQuerySet) -> ClipQuerySet:
    """Prefetch the promoted versions that were trained on each clip."""
    entries = learnt().select_related("snapshot__run__candidate").order_by("snapshot__created")
    return clips.prefetch_related(Prefetch("entries", entries, to_attr="learnt"))


def versions_of(clip: Clip) -> list[str]:
    """Names of the promoted versions that were trained on a clip of `with_versions`, the oldest first."""
    if clip.status != Clip.Status.APPROVED or clip.leaks:
        return []
    entries: list[SnapshotClip] = getattr(clip, "learnt", [])
    return list(dict.fromkeys(str(entry.snapshot.run.candidate) for entry in entries))


def state_of(clip: Clip) -> str:
    """Return the state that contributors see."""
    return USED if versions_of(clip) else clip.status
