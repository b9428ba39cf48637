"""The bin: what people delete is kept there for some days, and can be taken out again.

What is in the bin is seen by nobody, but counts as kept. Where the site keeps no bin, it is deleted at once.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from genreweb.accounts.models import User
from library.models import Track, TrackQuerySet
from library.services.tracks import delete_tracks

LOT: Final = 100
"""Tracks that are deleted for good in one transaction."""
_PRIVATE, _CATALOGUE = Track.Visibility.PRIVATE, Track.Visibility.CATALOGUE


def bin_tracks(tracks: TrackQuerySet) -> int:
    """Put tracks that somebody owns into the bin; give how many. Their analyses go on.

    What is there already stays there as long as it was to stay.
    """
    if not settings.BIN_DAYS:
        return delete_tracks(tracks)
    with transaction.atomic():
        owned = tracks.filter(owner__isnull=False, binned_at__isnull=True)
        # Always in the same order, as in `library.services.bulk`.
        ids = list(owned.order_by("pk").select_for_update().values_list("pk", flat=True))
        Track.objects.filter(pk__in=ids).update(
            binned_at=timezone.now(),
            was_published=Case(When(visibility=_CATALOGUE, then=Value(True)), default=Value(False)),
            visibility=_PRIVATE,
        )
    return len(ids)


def restore(*, by: User, tracks: TrackQuerySet) -> list[Track]:
    """Take one's own tracks out of the bin; give those that were there.

    What was in the catalogue returns to it where `by` may publish, else it is private.
    """
    back = Q(was_published=True) if by.is_curator else Q(pk__in=[])
    with transaction.atomic():
        binned = tracks & Track.objects.in_bin_of(by)
        ids = list(binned.order_by("pk").select_for_update().values_list("pk", flat=True))
        rows = Track.objects.filter(pk__in=ids)
        rows.update(
            visibility=Case(When(back, then=Value(_CATALOGUE)), default=Value(_PRIVATE)),
            was_published=False,
            binned_at=None,
        )
    return list(Track.objects.filter(pk__in=ids))


def delete_from_bin(*, by: User, tracks: TrackQuerySet) -> int:
    """Delete for good what somebody has in their bin; give how many tracks."""
    return _delete(tracks & Track.objects.in_bin_of(by))


def purge() -> int:
    """Delete for good what was in the bin for its days; give how many tracks."""
    return _delete(Track.objects.filter(binned_at__lte=timezone.now() - _kept()))


def purge_at(track: Track) -> datetime:
    """When a track of the bin is deleted for good, at the earliest."""
    if track.binned_at is None:
        raise ValueError("the track is not in the bin")
    return track.binned_at + _kept()


def days_left(track: Track) -> int:
    """Count the days that a track of the bin is kept, a begun day as a whole one."""
    return max(math.ceil((purge_at(track) - timezone.now()) / timedelta(days=1)), 0)


def _kept() -> timedelta:
    return timedelta(days=settings.BIN_DAYS)


def _delete(tracks: TrackQuerySet) -> int:
    """Delete lot by lot: what is restored meanwhile is no longer among `tracks`."""
    deleted = 0
    while ids := list(tracks.order_by("binned_at", "pk").values_list("pk", flat=True)[:LOT]):
        deleted += delete_tracks(tracks.filter(pk__in=ids))
    return deleted
