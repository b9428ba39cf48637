"""Artists and albums out of the words of tracks, and songs by the words that are in them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Lower

from genreweb.accounts.models import User
from library.models import Track, TrackQuerySet, findable, holding, made_of

_MOST_WORDS: Final = 10

Row = Mapping[str, Any]
Rows = QuerySet[Any, Any]


def artists(tracks: TrackQuerySet) -> Rows:
    """Each artist of some tracks, and how many albums there are of them."""
    rows = tracks.select_related(None).order_by().values("artist")
    return rows.annotate(albums=Count("album", distinct=True)).order_by("artist")


def albums(tracks: TrackQuerySet) -> Rows:
    """Each album of some tracks: an artist and a title, which are both empty where tracks name none."""
    rows = tracks.select_related(None).order_by().values("artist", "album")
    totals = {
        "songs": Count("pk"),
        "seconds": Sum("duration"),
        "added": Max("created"),
        "newest": Max("year"),
    }
    found: Rows = rows.annotate(**totals).order_by("artist", "album")
    return found


def by_title(rows: Rows) -> Rows:
    return rows.order_by(Lower("album"), "album", "artist")


def newest_first(rows: Rows) -> Rows:
    return rows.order_by("-added", "artist", "album")


def with_genre(rows: Rows, slug: str) -> Rows:
    """Keep albums that have a song of a genre."""
    counted = rows.annotate(of_genre=Count("pk", filter=Q(listed_genre=slug)))
    found: Rows = counted.filter(of_genre__gt=0)
    return found


def between_years(rows: Rows, first: int, last: int) -> Rows:
    """Keep albums of some years; the newest come first where `first` is the later one."""
    kept = rows.filter(newest__gte=min(first, last), newest__lte=max(first, last))
    return kept.order_by("newest" if first <= last else "-newest", "artist", "album")


def random_songs(tracks: TrackQuerySet, count: int) -> list[Track]:
    """Draw songs: those whose random keys follow a random one, so that not all are looked at."""
    # Not for anything secret.
    pivot = uuid.UUID(int=random.getrandbits(128))
    ordered = tracks.order_by("pk")
    found = list(ordered.filter(pk__gte=pivot)[:count])
    if len(found) < count:
        found += ordered.filter(pk__lt=pivot)[: count - len(found)]
    random.shuffle(found)
    return found


def random_albums(tracks: TrackQuerySet, count: int) -> list[Row]:
    """Draw albums: those of songs that are drawn."""
    songs = random_songs(tracks.only("artist", "album").select_related(None), 4 * count)
    drawn = list(dict.fromkeys((song.artist, song.album) for song in songs))[:count]
    if not drawn:
        return []
    these = reduce(or_, (Q(artist=artist, album=album) for artist, album in drawn))
    rows = {(row["artist"], row["album"]): row for row in albums(tracks.filter(these))}
    return [rows[key] for key in drawn if key in rows]


def words_of(query: str) -> list[str]:
    """Split what is searched for; players send ``""`` for everything, and stars at the end of words."""
    words = (word.strip('"*') for word in query.split())
    return [word for word in words if word][:_MOST_WORDS]


def songs_with(tracks: TrackQuerySet, words: Sequence[str], *, viewer: User) -> TrackQuerySet:
    """Keep songs that show all words, in a stable order."""
    for word in words:
        tracks = tracks.filter(_shows(word, holding(word), viewer))
    # Everything is read by its keys: no sorting of a whole catalogue for each page of it.
    return tracks.order_by("title", "pk") if words else tracks.order_by("pk")


def named(tracks: TrackQuerySet, column: str, words: Sequence[str], *, viewer: User) -> TrackQuerySet:
    """Keep tracks of which a column has all words."""
    for word in words:
        tracks = tracks.filter(_shows(word, Q(**{f"{column}__icontains": word}), viewer))
    return tracks


def _shows(word: str, condition: Q, viewer: User) -> Q:
    """Look for a word in the catalogue by its index, and among the viewer's own tracks one by one."""
    if not findable(word):
        return condition
    public = Q(visibility=Track.Visibility.CATALOGUE) & condition & made_of(word)
    return public | (Q(owner=viewer) & condition)


INDEX_OTHER: Final = "#"
ARTICLES: Final = ("the", "a", "an", "die", "der", "das", "le", "la", "les", "los", "las", "el")


def initial(name: str) -> str:
    """The heading under which an artist stands in an index, without a leading article."""
    first, _, rest = name.partition(" ")
    sorted_by = rest if rest and first.casefold() in ARTICLES else name
    letter = sorted_by[:1].upper()
    return letter if letter.isalpha() else INDEX_OTHER
