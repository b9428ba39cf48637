"""What a person may keep and send, as errors of the library; and room for another file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Count, Sum

from genreweb.accounts import quotas
from genreweb.accounts.models import User
from genreweb.accounts.quotas import Kept
from genreweb.free_space import has_room
from library.errors import TrackError
from library.models import Track

_BYTES_PER_SECOND = 16_000
"""Of an MP3 of 128 kbit/s: how long a file is taken to be where its header does not say."""


def kept(user: User) -> Kept:
    """Count the tracks of a person."""
    found = Track.objects.filter(owner=user).aggregate(tracks=Count("pk"), size=Sum("size"))
    return Kept(found["tracks"], found["size"] or 0)


def check(*, user: User, tracks: int, size: int, duration: float | None) -> None:
    """Refuse, before anything is stored, what a person may not keep or send, or what does not fit.

    Raises
    ------
    TrackError
        ``quota_…`` or ``storage_full``.
    """
    if not has_room(size):
        raise TrackError("storage_full")
    with _as_track_errors():
        quotas.check(user=user, tracks=tracks, size=size, seconds=_seconds(size, duration))


def take(*, user: User, tracks: int, size: int, duration: float | None) -> None:
    """Check the same and count it, in the transaction that stores it.

    Raises
    ------
    TrackError
        ``quota_…``.
    """
    with _as_track_errors():
        quotas.take(user=user, tracks=tracks, size=size, seconds=_seconds(size, duration))


def _seconds(size: int, duration: float | None) -> float:
    return duration or size / _BYTES_PER_SECOND


@contextmanager
def _as_track_errors() -> Iterator[None]:
    try:
        yield
    except quotas.QuotaError as error:
        raise TrackError(error.code, error.params) from error
