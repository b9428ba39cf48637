"""What a person does with many of their tracks at once: put into the bin, analyse again, publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from genreweb.accounts.models import User
from library.errors import TrackError
from library.models import Track, TrackQuerySet
from library.services import queue
from library.services.bin import bin_tracks

MOST_AT_ONCE = 500


class Action(StrEnum):
    """What can be done with many tracks."""

    DELETE = "delete"
    ANALYSE = "analyse"
    PUBLISH = "publish"
    UNPUBLISH = "unpublish"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one track; without an error it is as was asked."""

    id: UUID
    error: TrackError | None = None


def act(*, by: User, action: Action, ids: Sequence[UUID]) -> list[Outcome]:
    """Do one thing with many tracks, each by itself; what is not the person's own is not found.

    Raises
    ------
    TrackError
        ``curators_only`` where somebody else wants to change what is in the catalogue.
    """
    if action in (Action.PUBLISH, Action.UNPUBLISH) and not by.is_curator:
        raise TrackError("curators_only")
    with transaction.atomic():
        mine = Track.objects.owned_by(by).filter(pk__in=set(ids))
        # Always in the same order: two such requests at once wait for each other instead of deadlocking.
        found = set(mine.order_by("pk").select_for_update().values_list("pk", flat=True))
        _ACTIONS[action](Track.objects.filter(pk__in=found))
    return [Outcome(pk, None if pk in found else TrackError("not_found")) for pk in ids]


def _analyse(tracks: TrackQuerySet) -> None:
    """Queue what does not wait or run already, behind what people wait for."""
    finished = tracks.filter(status__in=[Track.Status.DONE, Track.Status.FAILED])
    ids = list(finished.values_list("pk", flat=True))
    Track.objects.filter(pk__in=ids).queue_again()
    for pk in ids:
        queue.send_on_commit(pk, bulk=True)


def _delete(tracks: TrackQuerySet) -> None:
    bin_tracks(tracks)


def _publish(tracks: TrackQuerySet) -> None:
    tracks.update(visibility=Track.Visibility.CATALOGUE)


def _unpublish(tracks: TrackQuerySet) -> None:
    tracks.update(visibility=Track.Visibility.PRIVATE)


_ACTIONS: dict[Action, Callable[[TrackQuerySet], None]] = {
    Action.DELETE: _delete,
    Action.ANALYSE: _analyse,
    Action.PUBLISH: _publish,
    Action.UNPUBLISH: _unpublish,
}
