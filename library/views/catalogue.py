"""The public catalogue: search, filter, sort and page through it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.template import Context
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from classifier import tag_words
from classifier.core.tags import TAGS
from classifier.models import Genre
from genreweb.bounded_pages import MOST_COUNTED
from library.forms import BY_TAG
from library.models import Reanalysis, Track, TrackQuerySet, strength_column
from library.moods import STRENGTHS
from library.templatetags import sound
from library.views import reanalysis
from library.views.paging import bounded_page_of, wants_results

PER_PAGE = 30
NO_GENRE = "none"
_MOST_WORDS = 8
_UNFINISHED = (Track.Status.QUEUED, Track.Status.RUNNING)

SORTS: dict[str, tuple[str | Promise, list[Any]]] = {
    "": (_("By title"), ["title", "id"]),
    "artist": (_("By artist"), ["artist", "title", "id"]),
    "genre": (_("By genre"), ["listed_genre", "title", "id"]),
    "newest": (_("Newest first"), ["-created", "id"]),
    "longest": (_("Longest first"), [F("duration").desc(nulls_last=True), "id"]),
    BY_TAG: (_("By strength of the tag"), []),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The search and filters of a request. Invalid values are ignored, not refused."""

    q: str
    genre: str
    tag: str
    strength: str
    sort: str

    @classmethod
    def of(cls, request: HttpRequest) -> Filters:
        query = request.GET
        sort = query.get("sort", "")
        # PostgreSQL does not store NUL in text.
        q, genre = (query.get(name, "").replace("\0", "").strip()[:200] for name in ("q", "genre"))
        tag, strength = query.get("tag", ""), query.get("strength", "")
        return cls(
            q=q,
            genre=genre,
            tag=tag if tag in TAGS else "",
            strength=strength if strength in STRENGTHS else "",
            sort=sort if sort in SORTS else "",
        )

    @property
    def order(self) -> list[Any]:
        if self.sort != BY_TAG:
            return SORTS[self.sort][1]
        # Without a tag there is no strength to sort by.
        return [f"-{strength_column(self.tag)}", "title", "id"] if self.tag else SORTS[""][1]

    def query(self, **changed: str) -> str:
        """Return the same filters, with changes, as a query string."""
        kept = QueryDict(mutable=True)
        values = {name: getattr(self, name) for name in self.__slots__} | changed
        kept.update({name: value for name, value in values.items() if value})
        return kept.urlencode()


@dataclass(frozen=True, slots=True)
class Chip:
    """A genre filter: its genre, its number of tracks in the current search, and its query string.

    The number is None where more tracks were found than are counted.
    """

    key: str
    genre: Genre | None
    count: int | None
    query: str


@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """Show one page of the filtered catalogue.

    A track is listed under the catalogue's genre or, if it has none, under the predicted one.
    """
    filters = Filters.of(request)
    catalogue = Track.objects.in_catalogue()
    genres = filtered(filters, by_genre=False).order_by().values_list("listed_genre", flat=True)
    counts = Counter(genres[: MOST_COUNTED + 1])
    many = counts.total() > MOST_COUNTED
    tracks = filtered(filters, are_many=many).for_rows().order_by(*filters.order)
    context = {
        "search": filters,
        "sorts": [(key, name) for key, (name, _order) in SORTS.items()],
        "tags": tag_words.choices(),
        "strengths": [(key, name) for key, (name, _least) in STRENGTHS.items()],
        **bounded_page_of(tracks, request, per_page=PER_PAGE, filters=filters.query()),
        "chips": _chips(request, filters, counts),
        "all_count": min(counts.total(), MOST_COUNTED),
        "counts_more": many,
        "all_query": filters.query(genre=""),
        "waiting": catalogue.filter(current__isnull=True, status__in=_UNFINISHED).count(),
    }
    if wants_results(request):
        return render(request, "library/catalogue_results.html", context)
    context["reanalysis"] = reanalysis.card(request, Reanalysis.Scope.CATALOGUE)
    return render(request, "library/catalogue.html", context)


def filtered(filters: Filters, *, by_genre: bool = True, are_many: bool = False) -> TrackQuerySet:
    """Query the analysed tracks of the catalogue that filters let through; `are_many` where that is known."""
    tracks = Track.objects.in_catalogue().filter(current__isnull=False)
    for word in filters.q.split()[:_MOST_WORDS]:
        tracks = tracks.public_holding(word, is_common=are_many)
    if filters.tag:
        tracks = tracks.with_tag(filters.tag, at_least=STRENGTHS[filters.strength][1])
    if by_genre and filters.genre:
        tracks = tracks.filter(listed_genre="" if filters.genre == NO_GENRE else filters.genre)
    return tracks


def _chips(request: HttpRequest, filters: Filters, counts: Counter[str]) -> list[Chip]:
    """List the genres with results, and the chosen one; all where more was found than is counted."""
    is_whole = counts.total() <= MOST_COUNTED
    context = Context({"request": request})
    known = sound.genres_by_slug(context)
    unlisted = sorted(counts.keys() - known.keys() - {""})
    chips = [
        Chip(slug, sound.genre(context, slug), counts[slug] if is_whole else None, filters.query(genre=slug))
        for slug in (*known, *unlisted)
        if counts[slug] or slug == filters.genre or not is_whole
    ]
    if counts[""] or filters.genre == NO_GENRE or not is_whole:
        chips.append(Chip(NO_GENRE, None, counts[""] if is_whole else None, filters.query(genre=NO_GENRE)))
    return chips
