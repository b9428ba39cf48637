"""Lists of tracks as tables, with what was heard in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.contrib.auth.models import AnonymousUser

from classifier.core.tags import GROUPS
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.table_stream import Cell
from library.models import Analysis, Track, TrackQuerySet

BATCH = 200
"""Tracks fetched at once while a list is sent."""

_WORDS = ("title", "artist", "album", "year", "tagged_genre", "licence")
_SOUND = ("duration", "sample_rate", "channels", "size")


def labels() -> list[str]:
    """The genres of the site, in their order: each has a column with its probability."""
    return list(Genre.objects.values_list("slug", flat=True))


def columns(genres: Iterable[str]) -> list[str]:
    """Name the columns of the table of tracks."""
    return [
        *("id", *_WORDS, "genre", "labelled_genre", "heard_genre", "confidence", "unsure"),
        # Not "style": so is one of the groups of tags called.
        *("style_outside_genres", "key"),
        *GROUPS,
        *_SOUND,
        *("source", "visibility", "status", "error_code", "created", "model_version", "file_name", "sha256"),
        *(f"probability_{genre}" for genre in genres),
    ]


def rows(tracks: TrackQuerySet, *, genres: Iterable[str], user: User | AnonymousUser) -> Iterator[list[Cell]]:
    """Yield a row for each track, in the order of `columns`; file names and hashes of one's own alone."""
    listed = list(genres)
    for track in each(tracks):
        analysis = track.current
        mine = track.owner_id is not None and track.owner_id == user.pk
        yield [
            str(track.pk),
            *(getattr(track, name) for name in _WORDS),
            track.shown_genre,
            track.labelled_genre.slug if track.labelled_genre else "",
            *_analysis_cells(analysis),
            *(getattr(track, name) for name in _SOUND),
            *(track.source, track.visibility, track.status, track.error_code, track.created.isoformat()),
            analysis.model_version.name if analysis else "",
            *((track.original_name, track.sha256) if mine else ("", "")),
            *((analysis.probabilities.get(genre) if analysis else None) for genre in listed),
        ]


def each(tracks: TrackQuerySet) -> Iterator[Track]:
    """Yield tracks with their analyses, a few at a time, whatever their number."""
    whole = tracks.with_verdict().select_related("labelled_genre", "current__model_version")
    yield from whole.iterator(chunk_size=BATCH)


def _analysis_cells(analysis: Analysis | None) -> list[Cell]:
    if analysis is None:
        return [None] * (5 + len(GROUPS))
    outstanding = analysis.outstanding_tags
    return [
        *(analysis.genre, analysis.confidence, analysis.unsure, analysis.style, analysis.key),
        *("; ".join(outstanding.get(group, [])) for group in GROUPS),
    ]
