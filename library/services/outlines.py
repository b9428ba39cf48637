"""Outlines of tracks for lists: a small waveform and the genre over time, made of stored analyses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict
from uuid import UUID

from django.core.cache import cache

from library.models import Analysis, TrackQuerySet

N_BARS: Final = 72
MOST: Final = 100
_KEPT_SECONDS: Final = 24 * 3600
# A silent segment has the same share of every genre.
_LEVEL: Final = 1e-3


class Outline(TypedDict):
    """Heights of bars, 0 to 100, and the genre of each: its place in ``genres``, or -1 where it is silent."""

    bars: list[int]
    genres: list[str]
    places: list[int]


def outlines(tracks: TrackQuerySet) -> dict[UUID, Outline]:
    """The outlines of tracks that have an analysis.

    An analysis never changes, so its outline is kept in the cache; the long columns are read for those alone
    that are not there.
    """
    current = dict(tracks.filter(current__isnull=False).values_list("pk", "current_id")[:MOST])
    keys = {analysis: f"outline-{N_BARS}-{analysis}" for analysis in current.values()}
    kept: dict[str, Outline] = cache.get_many(keys.values())
    missing = [analysis for analysis, key in keys.items() if key not in kept]
    made = {
        keys[pk]: outline_of(peaks, timeline)
        for pk, peaks, timeline in Analysis.objects.filter(pk__in=missing).values_list(
            "pk", "peaks", "timeline"
        )
    }
    if made:
        cache.set_many(made, _KEPT_SECONDS)
    known = {**kept, **made}
    return {pk: known[keys[analysis]] for pk, analysis in current.items() if keys[analysis] in known}


def outline_of(peaks: Sequence[int], timeline: Sequence[Mapping[str, Any]]) -> Outline:
    """Reduce the pairs of minimum and maximum of an analysis and its timeline to `N_BARS` bars."""
    pairs = len(peaks) // 2
    spans = [max(abs(low), abs(high)) for low, high in zip(peaks[::2], peaks[1::2], strict=False)]
    bars = []
    for place in range(N_BARS if pairs else 0):
        start = place * pairs // N_BARS
        end = max(start + 1, (place + 1) * pairs // N_BARS)
        bars.append(round(max(spans[start:end]) * 100 / 127))
    genres: list[str] = []
    places = []
    length = timeline[-1]["end"] if timeline else 0.0
    at = 0
    for place in range(len(bars)):
        middle = (place + 0.5) / N_BARS * length
        while at + 1 < len(timeline) and timeline[at]["end"] <= middle:
            at += 1
        label = _likeliest(timeline[at]["probabilities"].items()) if timeline else ""
        if label and label not in genres:
            genres.append(label)
        places.append(genres.index(label) if label else -1)
    return {"bars": bars, "genres": genres, "places": places}


def _likeliest(probabilities: Iterable[tuple[str, float]]) -> str:
    ranked = sorted(probabilities, key=lambda item: item[1])
    return ranked[-1][0] if ranked and ranked[-1][1] - ranked[0][1] >= _LEVEL else ""
