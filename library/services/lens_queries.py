"""What similar tracks are looked for by: vectors, fingerprints and tags of one track or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from classifier.core import fingerprint
from classifier.core.lenses import (
    BLEND,
    HARMONY,
    HARMONY_ANY_KEY,
    MOOD,
    SOUND,
    TIMBRE,
    VERSION,
    unit,
)
from classifier.core.tags import flattened
from genreweb.prepared_queries import PreparedQueries
from library.models import Analysis, Track, TrackLens

FloatArray = NDArray[np.float32]
Words = NDArray[np.int32]

# The first half of a clip is nearer to the whole one in 99 of 100 cases; by harmony in any key in 92.
COPY_WITHIN: Final = {BLEND: 0.6, SOUND: 0.6, HARMONY: 0.9, HARMONY_ANY_KEY: 1.0, TIMBRE: 0.75, MOOD: 0.6}
"""By lens, the distance from which on tracks are not compared by their fingerprints."""
MOST_COMPARED: Final = 5
_QUERIES: Final = PreparedQueries()
AWAY: Final = 0.5
"""How much what a search leads away from counts beside what it leads to."""


@dataclass(frozen=True, slots=True, eq=False)
class LensQuery:
    """What is asked about.

    Attributes
    ----------
    vectors
        Unit vectors by lens.
    descriptor, descriptor_version
        The chroma descriptor, for the time in which analyses are moved over to the lenses.
    tags
        Strength by tag.
    key
        As `classifier.core.keys.Key` reads; empty where it is not known.
    fingerprints
        Of each recording, as far as there are some.
    tracks, hashes, artists
        Of the tracks that the query is made of, and of their files; artists as they are written.
    """

    vectors: Mapping[str, FloatArray]
    descriptor: FloatArray | None = None
    descriptor_version: str = ""
    tags: Mapping[str, float] = field(default_factory=dict)
    key: str = ""
    fingerprints: Sequence[Words] = ()
    tracks: frozenset[UUID] = frozenset()
    hashes: frozenset[str] = frozenset()
    artists: frozenset[str] = frozenset()


def query_of(tracks: Sequence[Track], unlike: Sequence[Track] = ()) -> LensQuery:
    """Ask about analysed tracks: about one, or about what several have in common.

    Of several the vectors are averaged, lens by lens; a lens that does not know all of them is left out.
    Those of `unlike` are averaged too and taken off, weighted by `AWAY` (Rocchio's relevance feedback).

    Parameters
    ----------
    tracks
        At least one, each with an analysis.
    unlike
        Analysed tracks to lead away from.
    """
    liked = {track.current_id for track in tracks}
    everything = [*tracks, *unlike]
    recordings = _analyses([track.current_id for track in everything])
    analyses = [analysis for analysis in recordings if analysis.pk in liked]
    versions = {analysis.descriptor_version for analysis in analyses}
    keys = {analysis.key for analysis in analyses}
    return LensQuery(
        vectors=_vectors(tracks, unlike),
        descriptor=_mean([_array(a.descriptor) for a in analyses]) if len(versions) == 1 else None,
        descriptor_version=versions.pop() if len(versions) == 1 else "",
        tags=_mean_strengths([flattened(analysis.tags) for analysis in analyses]),
        key=keys.pop() if len(keys) == 1 else "",
        fingerprints=[np.array(a.fingerprint, np.int32) for a in recordings if a.fingerprint],
        tracks=frozenset(track.pk for track in everything),
        hashes=frozenset(track.sha256 for track in everything),
        artists=frozenset(track.artist.strip() for track in tracks),
    )


def _analyses(keys: Sequence[int | None]) -> list[Analysis]:
    """Read what is needed of some analyses, in no order."""
    needed = ("descriptor", "descriptor_version", "fingerprint", "tags", "key")

    def like() -> tuple[QuerySet[Analysis], Sequence[Any]]:
        others = range(-len(keys), 0)
        return Analysis.objects.filter(pk__in=others).only(*needed).order_by(), others

    return _QUERIES.instances(("analyses", len(keys)), keys, like=like)


def _vectors(tracks: Sequence[Track], unlike: Sequence[Track]) -> dict[str, FloatArray]:
    keys = [track.pk for track in (*tracks, *unlike)]

    def like() -> tuple[QuerySet[TrackLens], Sequence[Any]]:
        others = [UUID(int=number) for number in range(len(keys))]
        rows = TrackLens.objects.filter(track__in=others, version=VERSION).order_by()
        return rows.only("track", "lens", "vector"), others

    away = {track.pk for track in unlike}
    towards: dict[str, list[FloatArray]] = {}
    avoided: dict[str, list[FloatArray]] = {}
    for row in _QUERIES.instances(("vectors", len(keys)), keys, like=like):
        (avoided if row.track_id in away else towards).setdefault(row.lens, []).append(_array(row.vector))
    vectors = {lens: _mean(found) for lens, found in towards.items() if len(found) == len(tracks)}
    for lens in vectors.keys() & avoided.keys():
        vectors[lens] = unit((vectors[lens] - AWAY * _mean(avoided[lens]))[None])[0]
    return vectors


def same_recordings(query: LensQuery, analyses: Sequence[int]) -> set[int]:
    """Which of the nearest tracks hold a recording that is asked about, in another encoding or cut.

    Parameters
    ----------
    analyses
        Keys of the analyses of those that are near enough by the lens, the nearest first; `MOST_COMPARED` are
        compared.
    """
    if not query.fingerprints or not analyses:
        return set()
    stored = Analysis.objects.filter(pk__in=analyses[:MOST_COMPARED]).values_list("pk", "fingerprint")
    return {
        pk
        for pk, words in stored
        if words
        and any(fingerprint.compare(own, np.array(words, np.int32)).same for own in query.fingerprints)
    }


def _array(values: Any) -> FloatArray:
    return np.asarray(values, np.float32)


def _mean(vectors: Sequence[FloatArray]) -> FloatArray:
    return (
        unit(np.mean(vectors, axis=0, keepdims=True, dtype=np.float32))[0] if len(vectors) > 1 else vectors[0]
    )


def _mean_strengths(strengths: Sequence[Mapping[str, float]]) -> dict[str, float]:
    common = set.intersection(*(set(each) for each in strengths)) if strengths else set()
    return {slug: float(np.mean([each[slug] for each in strengths])) for slug in common}
