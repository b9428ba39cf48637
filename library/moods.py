"""Music for a mood, and the strengths by which lists of tracks are filtered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from classifier.core.tags import MOODS, NOTABLE
from classifier.tag_words import NamedTag, named
from genreweb.accounts.models import User
from library.models import Track, TrackQuerySet, strength_column

RECOMMENDED = 0.8
"""From this strength on a track is recommended for a mood."""
SHOWN = 3
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
    """List all moods, each with its few strongest tracks."""
    return [Mood(named(mood), list(tracks_for(mood, user=user)[:SHOWN])) for mood in MOODS]
