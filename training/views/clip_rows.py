"""Clips as their contributors see them: what has become of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Prefetch, QuerySet

from genreweb.accounts.models import User
from training.errors import training_sentence
from training.models import Clip, Promotion, SnapshotClip
from training.models.clips import ClipQuerySet

USED = "used"
LISTS = ("sent", "mine", "track")


def _learnt() -> QuerySet[SnapshotClip]:
    """Give the entries of snapshots whose version then went into service."""
    promoted = Promotion.objects.filter(
        action=Promotion.Action.PROMOTE, version=OuterRef("snapshot__run__candidate")
    )
    return SnapshotClip.objects.filter(Exists(promoted)).exclude(split=SnapshotClip.Split.TEST)


def in_state(clips: ClipQuerySet, state: str) -> ClipQuerySet:
    """Keep clips in one of the states that their contributor is told of."""
    if state == USED:
        return clips.filter(
            Exists(_learnt().filter(clip=OuterRef("pk"))), status=Clip.Status.APPROVED, leaks=False
        )
    return clips.filter(status=state)


def for_rows(clips: ClipQuerySet) -> ClipQuerySet:
    """Fetch with each clip what its row says, in as many queries for many as for one."""
    entries = _learnt().select_related("snapshot__run__candidate").order_by("snapshot__created")
    return (
        clips.select_related("genre", "contributed_genre", "track", "duplicate_of")
        .defer("embedding", "opinion", "duplicate_of__embedding", "duplicate_of__opinion")
        .annotate(piece_count=Count("pieces"))
        .order_by("-created", "id")
        .prefetch_related(Prefetch("entries", entries, to_attr="learnt"))
    )


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip, and what its row says about it.

    Attributes
    ----------
    versions : list of str
        Versions that went into service and had learnt from it, the oldest first.
    twin : Clip or None
        The same recording, where it is the contributor's own too.
    seen : str
        What a page that shows this has heard.
    """

    clip: Clip
    versions: list[str]
    pieces: int
    twin: Clip | None

    @property
    def seen(self) -> str:
        return f"{self.clip.status}.{self.clip.claimed:d}"

    @property
    def is_open(self) -> bool:
        """Whether something will happen to it by itself soon."""
        return self.clip.status == Clip.Status.CHECKING

    @property
    def name(self) -> str:
        return self.clip.title or (self.clip.track.title if self.clip.track else "")

    @property
    def failure(self) -> str:
        return training_sentence(self.clip.error_code, self.clip.error_params)

    @property
    def relabelled(self) -> bool:
        return self.clip.genre_id != self.clip.contributed_genre_id


def rows_of(clips: Iterable[Clip], user: User) -> list[ClipRow]:
    return [_row(clip, user) for clip in clips]


def _row(clip: Clip, user: User) -> ClipRow:
    entries: list[SnapshotClip] = getattr(clip, "learnt", [])
    used = clip.status == Clip.Status.APPROVED and not clip.leaks
    twin = clip.duplicate_of
    return ClipRow(
        clip=clip,
        versions=list(dict.fromkeys(str(entry.snapshot.run.candidate) for entry in entries)) if used else [],
        pieces=getattr(clip, "piece_count", 0),
        twin=twin if twin is not None and twin.contributor_id == user.pk else None,
    )
