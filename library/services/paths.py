"""A path from one track to another, through tracks of which each is near the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from classifier.core import fingerprint
from classifier.core.lenses import BLEND, HARMONY, SOUND, VERSION
from classifier.core.routes import shortest, waypoints
from library.errors import PlaylistError
from library.models import Analysis, Track, TrackLens
from library.services.candidates import Candidate, Viewer
from library.services.lens_queries import COPY_WITHIN, LensQuery, query_of
from library.services.similar import nearest

LEAST, MOST, DEFAULT_LENGTH = 3, 50, 10
_MOST_WAYPOINTS: Final = 6
_SPARE: Final = 10
_APART: Final = 2
_MOST_ROUNDS: Final = 5
"""Times that a path is found anew without copies that lie on it."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """A track of a path, and how far it is from the one before; the first has None."""

    track: Track
    distance: float | None


@dataclass(frozen=True, slots=True)
class Path:
    """The tracks of a path from its start to its end, and the lens by which they are near."""

    lens: str
    steps: tuple[Step, ...]

    @property
    def tracks(self) -> list[Track]:
        return [step.track for step in self.steps]


def find_path(
    *, viewer: Viewer, start: Track, end: Track, length: int = DEFAULT_LENGTH, by: str | None = None
) -> Path:
    """Find a path of `length` tracks, both ends among them, or of fewer where there are not so many.

    No file comes twice, nor a recording within `_APART` places of itself, in whatever encoding. Only tracks
    that `viewer` may see are walked over.

    Parameters
    ----------
    start, end
        Analysed tracks that the viewer may see.
    by
        One of `classifier.core.lenses.LENSES`. Where None, the first that knows both ends of blend, sound and
        harmony.

    Raises
    ------
    PlaylistError
        Both are the same recording, or no lens knows both.
    """
    if start.pk == end.pk or start.sha256 == end.sha256:
        raise PlaylistError("path_same")
    ends = query_of([start]), query_of([end])
    lens = _lens(ends, by)
    first, last = (query.vectors[lens] for query in ends)
    known = {each.pk: each for each in _candidates(viewer, ends, lens, length)}
    vectors = _vectors(list(known), lens)
    pool = _without_copies([each for pk, each in known.items() if pk in vectors])
    for _round in range(_MOST_ROUNDS):
        points = np.stack([vectors[each.pk] for each in pool]) if pool else np.empty((0, len(first)))
        places = shortest(first, last, points.astype(np.float32), length - 2)
        chosen = [pool[place] for place in places]
        copies = _copies(ends, chosen, [first, *(points[place] for place in places), last], lens)
        if not copies:
            break
        pool = [each for each in pool if each.pk not in copies]
    order = [start.pk, *(each.pk for each in chosen), end.pk]
    return _path(viewer, order, {**vectors, start.pk: first, end.pk: last}, lens)


def _lens(ends: tuple[LensQuery, LensQuery], by: str | None) -> str:
    for lens in (by,) if by else (BLEND, SOUND, HARMONY):
        if all(lens in query.vectors for query in ends):
            return lens
    raise PlaylistError("path_not_comparable")


def _candidates(viewer: Viewer, ends: tuple[LensQuery, LensQuery], lens: str, length: int) -> list[Candidate]:
    """The tracks nearest to points between both ends: at least so many as are needed, if they exist."""
    count = min(length - 2, _MOST_WAYPOINTS)
    first, last = (query.vectors[lens] for query in ends)
    found: list[Candidate] = []
    for point in waypoints(first, last, count):
        query = LensQuery(
            vectors={lens: point},
            tracks=ends[0].tracks | ends[1].tracks,
            hashes=ends[0].hashes | ends[1].hashes,
        )
        found += nearest(viewer=viewer, query=query, lens=lens, k=length + _SPARE)
    return found


def _without_copies(candidates: Sequence[Candidate]) -> list[Candidate]:
    """One of each file."""
    return list({each.sha256: each for each in reversed(candidates)}.values())[::-1]


def _vectors(tracks: Sequence[UUID], lens: str) -> dict[UUID, FloatArray]:
    rows = TrackLens.objects.filter(track__in=tracks, lens=lens, version=VERSION)
    return {track: np.asarray(vector, np.float32) for track, vector in rows.values_list("track", "vector")}


def _copies(
    ends: tuple[LensQuery, LensQuery],
    chosen: Sequence[Candidate],
    points: Sequence[NDArray[np.float32]],
    lens: str,
) -> set[UUID]:
    """Which of the chosen hold the recording of an end, or of one shortly before them."""
    within = COPY_WITHIN[lens]
    near = [
        (place, other)
        for place in range(len(points))
        for other in range(place + 1, min(place + 1 + _APART, len(points)))
        if float(np.linalg.norm(points[place] - points[other])) < within
        # Both ends are given.
        and (place or other <= len(chosen))
    ]
    if not chosen or not near:
        return set()
    rows = Analysis.objects.filter(pk__in=[each.analysis for each in chosen])
    words = dict(rows.values_list("pk", "fingerprint"))
    recordings = [
        ends[0].fingerprints,
        *([_words(words.get(each.analysis))] if words.get(each.analysis) else [] for each in chosen),
        ends[1].fingerprints,
    ]
    found = set()
    for place, other in near:
        pairs = [(a, b) for a in recordings[place] for b in recordings[other]]
        if any(fingerprint.compare(a, b).same for a, b in pairs):
            # Of what is chosen the later one goes; the ends stay.
            found.add(chosen[other - 1 if other <= len(chosen) else max(place, 1) - 1].pk)
    return found


def _words(stored: Sequence[int] | None) -> NDArray[np.int32]:
    return np.array(stored or [], np.int32)


def _path(viewer: Viewer, order: Sequence[UUID], vectors: Mapping[UUID, FloatArray], lens: str) -> Path:
    tracks = (
        Track.objects.visible_to(viewer)
        .with_verdict()
        .select_related("labelled_genre", "current__model_version")
        .in_bulk(list(order))
    )
    steps: list[Step] = []
    for pk in order:
        # One that was deleted or hidden in this moment is left out.
        if pk in tracks:
            apart = float(np.linalg.norm(vectors[pk] - vectors[steps[-1].track.pk])) if steps else None
            steps.append(Step(tracks[pk], apart))
    return Path(lens, tuple(steps))
