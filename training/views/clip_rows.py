"""Rows of clips in the lists that their contributors see."""

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
    """Return the entries of snapshots whose version then went into service."""
    promoted = Promotion.objects.filter(
        action=Promotion.Action.PROMOTE, version=OuterRef("snapshot__run__candidate")
    )
    return SnapshotClip.objects.filter(Exists(promoted)).exclude(split=SnapshotClip.Split.TEST)


def in_state(clips: ClipQuerySet, state: str) -> ClipQuerySet:
    """Filter clips by one of the states that contributors see."""
    if state == USED:
        return clips.filter(
            Exists(_learnt().filter(clip=OuterRef("pk"))), status=Clip.Status.APPROVED, leaks=False
        )
    return clips.filter(status=state)


def for_rows(clips: ClipQuerySet) -> ClipQuerySet:
    """Prefetch what the rows of clips show, in a constant number of queries."""
    entries = _learnt().select_related("snapshot__run__candidate").order_by("snapshot__created")
    return (
        clips.select_related("genre", "contributed_genre", "track", "duplicate_of")
        .without_long_columns()
        .annotate(piece_count=Count("pieces"))
        .order_by("-created", "id")
        .prefetch_related(Prefetch("entries", entries, to_attr="learnt"))
    )


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip as shown in a row.

    Attributes
    ----------
    versions : list of str
        Versions that were trained on it and went into service, the oldest first.
    twin : Clip or None
        A clip with the same recording, if it is the contributor's own too.
    seen : str
        The state shown, which the page sends with its next poll.
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
        """Whether its state is going to change without an action of the user."""
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
