"""Music for a mood, and the strengths by which lists of tracks are filtered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from classifier.core.tags import MOODS, NOTABLE
from classifier.tag_words import NamedTag, named
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import Track, TrackQuerySet, strength_column

RECOMMENDED = 0.8
"""From this strength on a track is recommended for a mood."""
SHOWN = 3
_QUERIES: Final = PreparedQueries()
STRENGTHS: dict[str, tuple[Any, float]] = {
    "": (_("Clear"), NOTABLE),
    "strong": (_("Strong"), 0.85),
    "very-strong": (_("Very strong"), 0.95),
}
"""How strong the tag that a list is filtered by must be, as pages offer it."""


@dataclass(frozen=True, slots=True)
class Mood:
    """A mood and the strongest tracks for it."""

    tag: NamedTag
    tracks: list[Track]


def tracks_for(mood: str, *, user: User | AnonymousUser) -> TrackQuerySet:
    """Query the tracks for a mood among those that `user` may see, the strongest first.

    Each has the strength of the mood as its attribute `strength`.
    """
    return (
        Track.objects.visible_to(user)
        .with_tag(mood, at_least=RECOMMENDED)
        .annotate(strength=F(strength_column(mood)))
        .order_by("-strength", "pk")
        .with_verdict()
        .select_related("labelled_genre", "current__model_version")
    )


def overview(*, user: User | AnonymousUser) -> list[Mood]:
    """List all moods, each with its few strongest tracks: columns as `TrackQuerySet.for_rows` loads them."""
    found = _QUERIES.rows(
        user.is_authenticated, [user.pk] if user.is_authenticated else [], like=lambda: _strongest(user)
    )
    tracks = Track.objects.for_rows().in_bulk([key for _mood, key, _strength in found])
    by_mood: dict[str, list[Track]] = {mood: [] for mood in MOODS}
    for mood, key, _strength in sorted(found, key=lambda row: (-row[2], row[1])):
        by_mood[mood].append(tracks[key])
    return [Mood(named(mood), by_mood[mood]) for mood in MOODS]


def _strongest(user: User | AnonymousUser) -> tuple[QuerySet[Any, Any], list[Any]]:
    """Query mood, track and strength of the few strongest tracks of every mood at once."""
    someone: User | AnonymousUser = User(pk=-1) if user.is_authenticated else user
    each = [
        tracks_for(mood, user=someone)
        .select_related(None)
        .annotate(mood=Value(mood))
        .values_list("mood", "pk", "strength")[:SHOWN]
        for mood in MOODS
    ]
    return each[0].union(*each[1:], all=True), [-1] if user.is_authenticated else []
