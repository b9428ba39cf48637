"""Making a playlist: like some tracks and unlike others, from one track to another, or for a mood.

The address says all of it, so that it can be kept and gone back to; the tracks that were found are shown and
become a playlist only when they are saved.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.core.tags import MOODS
from classifier.tag_words import named
from library.errors import PlaylistError
from library.models import Track, holding
from library.services import generating, paths
from library.services.candidates import Conditions
from library.views.requests import tracks_named

LENGTHS: Final = (5, 10, 20, 30, 50)
MOST_FOUND: Final = 10
_WORDS: Final = 8

_SEEDS: Final = {
    "like": gettext_lazy("More like these"),
    "unlike": gettext_lazy("Less like these"),
    "from": gettext_lazy("From"),
    "to": gettext_lazy("To"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for; tracks that the reader may not see are left out."""

    like: list[Track] = field(default_factory=list)
    unlike: list[Track] = field(default_factory=list)
    start: list[Track] = field(default_factory=list)
    end: list[Track] = field(default_factory=list)
    mood: str = ""
    surprise: bool = False
    seed: int = 0
    length: int = generating.DEFAULT_LENGTH
    one_per_artist: bool = False

    @property
    def is_path(self) -> bool:
        return bool(self.start or self.end)

    @property
    def seeds(self) -> dict[str, list[Track]]:
        return {"like": self.like, "unlike": self.unlike, "from": self.start, "to": self.end}

    def query(self, **changed: Any) -> str:
        """The address of the same wish with changes; a change to None leaves a part out."""
        parts: dict[str, Any] = {name: [str(each.pk) for each in found] for name, found in self.seeds.items()}
        parts |= {"mood": self.mood, "surprise": "1" if self.surprise else "", "length": self.length}
        parts |= {"seed": self.seed if self.surprise else "", "one": "1" if self.one_per_artist else ""}
        parts |= changed
        return urlencode(
            {name: value for name, value in parts.items() if value not in (None, "", [])}, doseq=True
        )


@login_required
@require_safe
@never_cache
def build(request: HttpRequest) -> HttpResponse:
    """Show what a playlist is to be made of, and the tracks that this gives."""
    wish = _wish(request)
    tracks, problem = _tracks(request, wish)
    words = request.GET.get("q", "").strip()[:200]
    context = {
        "wish": wish,
        "title": _title(wish),
        "chosen": [_chosen(wish, role, track) for role, found in wish.seeds.items() for track in found],
        "tracks": tracks,
        "problem": problem,
        "asked": bool(wish.like or wish.mood or (wish.start and wish.end)),
        "lengths": LENGTHS,
        "moods": [named(mood) for mood in MOODS],
        "again": wish.query(seed=secrets.randbelow(generating.MOST_RANDOM_SEED)),
        "hidden": _hidden(wish),
        "q": words,
        "found": [_offered(wish, track) for track in _found(request, words)],
    }
    return render(request, "library/playlists/build.html", context)


def _wish(request: HttpRequest) -> Wish:
    get = request.GET

    def seeds(name: str, most: int) -> list[Track]:
        found = tracks_named(request, get.getlist(name)[:most])
        return [track for track in found if track.current_id is not None]

    mood, seed, length = get.get("mood", ""), get.get("seed", ""), get.get("length", "")
    return Wish(
        like=seeds("like", generating.MOST_SEEDS),
        unlike=seeds("unlike", generating.MOST_SEEDS),
        start=seeds("from", 1),
        end=seeds("to", 1),
        mood=mood if mood in MOODS else "",
        surprise=bool(get.get("surprise")),
        seed=min(int(seed[:10]), generating.MOST_RANDOM_SEED) if seed.isdecimal() else 0,
        length=int(length) if length in {str(each) for each in LENGTHS} else generating.DEFAULT_LENGTH,
        one_per_artist=bool(get.get("one")),
    )


def _tracks(request: HttpRequest, wish: Wish) -> tuple[list[Track], str]:
    """The tracks of a wish, or why there are none."""
    viewer = request.user
    try:
        if wish.start and wish.end:
            path = paths.find_path(viewer=viewer, start=wish.start[0], end=wish.end[0], length=wish.length)
            return path.tracks, ""
        if wish.mood and wish.surprise:
            return generating.surprise(viewer=viewer, mood=wish.mood, length=wish.length, seed=wish.seed), ""
        if wish.mood:
            return generating.for_mood(viewer=viewer, mood=wish.mood, length=wish.length), ""
        if wish.like:
            conditions = Conditions(one_per_artist=wish.one_per_artist)
            found = generating.like(
                viewer=viewer, seeds=wish.like, unlike=wish.unlike, length=wish.length, conditions=conditions
            )
            return found, ""
    except PlaylistError as error:
        return [], error.message
    return [], ""


def _title(wish: Wish) -> str:
    """What the playlist is called unless its owner says otherwise."""
    if wish.start and wish.end:
        return _("From “%(start)s” to “%(end)s”") % {"start": wish.start[0], "end": wish.end[0]}
    if wish.mood:
        mood = named(wish.mood).name
        return _("A surprise: %(mood)s") % {"mood": mood} if wish.surprise else str(mood)
    return _("Like “%(title)s”") % {"title": wish.like[0]} if wish.like else ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A track that the playlist is made of, its part, and the address without it."""

    track: Track
    part: str | Promise
    without: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A track that was found by its words, and the addresses with it: (part, address)."""

    track: Track
    choices: list[tuple[str | Promise, str]]


def _chosen(wish: Wish, role: str, track: Track) -> Chosen:
    left: list[UUID] = [each.pk for each in wish.seeds[role] if each.pk != track.pk]
    return Chosen(track, _SEEDS[role], wish.query(**{role: [str(pk) for pk in left]}))


def _offered(wish: Wish, track: Track) -> Offered:
    def with_it(role: str) -> str:
        others = (
            [each for each in wish.seeds[role] if each.pk != track.pk] if role in ("like", "unlike") else []
        )
        return wish.query(**{role: [*(str(each.pk) for each in others), str(track.pk)]})

    roles = ("from", "to") if wish.is_path else ("like", "unlike")
    return Offered(track, [(_SEEDS[role], with_it(role)) for role in roles])


def _hidden(wish: Wish) -> list[tuple[str, str]]:
    """What forms of the page carry along: every part of the wish but what has a field of its own."""
    seeds = [(role, str(track.pk)) for role, found in wish.seeds.items() for track in found]
    return [*seeds, ("seed", str(wish.seed))] if wish.surprise else seeds


def _found(request: HttpRequest, words: str) -> list[Track]:
    if not words:
        return []
    tracks = Track.objects.visible_to(request.user).filter(current__isnull=False).with_verdict()
    for word in words.replace("\0", "").split()[:_WORDS]:
        tracks = tracks.filter(holding(word))
    return list(tracks.order_by("title", "pk")[:MOST_FOUND])
