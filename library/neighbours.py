"""Nearest neighbours of a track among those that a user may see."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from pgvector.django import L2Distance

from genreweb.accounts.models import User
from library.models import Analysis, Track, TrackQuerySet

MOST = 50
SPARE = 20


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A similar track, its rank and its distance (0 is identical, 2 is opposite)."""

    rank: int
    distance: float
    track: Track


def neighbours(*, track: Track, user: User | AnonymousUser, k: int = 3) -> list[Neighbour]:
    """Return the `k` tracks nearest to `track` by chroma descriptor, the nearest first.

    Never the track itself or another copy of the same file, and never one that `user` may not see. A track
    without an analysis has no neighbours.
    """
    if track.current is None:
        return []
    k = min(k, MOST)
    found = (
        _comparable(track, track.current, user)
        .annotate(distance=L2Distance("current__descriptor", track.current.descriptor))
        .order_by("distance")[: k + SPARE]
    )
    # The index is approximate and returns rows nearly in order: fetch some more and sort them here.
    nearest = sorted(found, key=_distance)[:k]
    return [Neighbour(rank, _distance(other), other) for rank, other in enumerate(nearest, start=1)]


def _distance(track: Track) -> float:
    return float(track.distance)  # type: ignore[attr-defined]  # annotated by `neighbours`


def _comparable(track: Track, analysis: Analysis, user: User | AnonymousUser) -> TrackQuerySet:
    return (
        Track.objects.visible_to(user)
        .filter(current__descriptor_version=analysis.descriptor_version)
        .exclude(pk=track.pk)
        .exclude(sha256=track.sha256)
        .with_verdict()
        .select_related("labelled_genre", "current__model_version")
    )
