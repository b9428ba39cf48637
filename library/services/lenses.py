"""The rows that neighbours are found by: made with each analysis, and made up for older analyses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet

from classifier.core.analysis import TrackAnalysis
from classifier.core.keys import key_of
from classifier.core.lenses import BLEND, VERSION, Facts, isolation_of, vectors_of
from genreweb.prepared_queries import PreparedQueries
from library.models import Analysis, Track, TrackLens

LOT: Final = 200
"""Analyses that are moved over in one transaction."""
_QUERIES: Final = PreparedQueries()
_NEEDED: Final = (
    *("pk", "track_id", "descriptor", "descriptor_version", "tag_embedding", "levelled_features"),
    *("tag_version", "timbre", "tags", "key", "lens_version"),
)


def facts_of(analysis: Analysis) -> Facts:
    """What the lenses are given of an analysis."""
    return Facts(
        descriptor=np.asarray(analysis.descriptor, np.float32),
        descriptor_version=analysis.descriptor_version,
        embedding=_array(analysis.tag_embedding),
        levelled=_array(analysis.levelled_features),
        tagger_version=analysis.tag_version,
        timbre=_array(analysis.timbre),
        strengths=analysis.tags,
    )


def key_name(descriptor: Sequence[float]) -> str:
    """The key to store for a descriptor, as ``Eb minor``; empty where there is none."""
    key = key_of(np.asarray(descriptor, np.float32))
    return str(key) if key else ""


def lens_fields(result: TrackAnalysis) -> dict[str, Any]:
    """The fields of an analysis that similar tracks are found by, beside its vectors."""
    return {
        "timbre": result.timbre,
        "fingerprint": result.fingerprint.tolist(),
        "key": key_name(result.descriptor.tolist()),
        "lens_version": VERSION,
    }


def index_lenses(analysis: Analysis) -> None:
    """Let the track be found by its new current analysis. The track's row must be locked."""
    track = Track.objects.only("owner_id", "visibility", "binned_at").get(pk=analysis.track_id)
    _replace([(track, analysis)])


def is_complete() -> bool:
    """Whether every analysis has been moved over to the lenses of this version."""
    # Asked with each search.
    return not _QUERIES.rows(VERSION, [], like=lambda: (_waiting().values_list("pk")[:1], []))


def fill_in(*, lot: int = LOT) -> int:
    """Move some older analyses over to the lenses of this version; give how many there were.

    Several workers may do this at once. What is interrupted is done again; what is done stays done.
    """
    with transaction.atomic():
        waiting = _waiting().order_by("pk").only(*_NEEDED)[:lot]
        by_track: dict[UUID, list[Analysis]] = {}
        for analysis in waiting:
            by_track.setdefault(analysis.track_id, []).append(analysis)
        # The track's row is the lock, as everywhere; one that is being analysed or deleted waits.
        tracks = (
            Track.objects.filter(pk__in=by_track)
            .select_for_update(skip_locked=True)
            .only("owner_id", "visibility", "binned_at", "current_id")
        )
        held = [(track, analysis) for track in tracks for analysis in by_track[track.pk]]
        _replace([(track, analysis) for track, analysis in held if track.current_id == analysis.pk])
        for _track, analysis in held:
            analysis.lens_version = VERSION
            analysis.key = analysis.key or key_name(analysis.descriptor)
        Analysis.objects.bulk_update([analysis for _, analysis in held], ["lens_version", "key"])
    return len(held)


def catch_up(*, most: int = 25) -> int:
    """Move analyses over lot by lot, at most so many that other jobs get their turn."""
    moved = 0
    for _turn in range(most):
        count = fill_in()
        moved += count
        if count < LOT:
            break
    return moved


def _waiting() -> QuerySet[Analysis]:
    # "Other than" would not use the index.
    return Analysis.objects.filter(Q(lens_version__lt=VERSION) | Q(lens_version__gt=VERSION))


def _replace(pairs: Sequence[tuple[Track, Analysis]]) -> None:
    TrackLens.objects.filter(track__in=[track.pk for track, _analysis in pairs]).delete()
    TrackLens.objects.bulk_create(
        TrackLens(
            track_id=track.pk,
            owner_id=None if track.binned_at else track.owner_id,
            public=track.is_in_catalogue,
            lens=lens,
            version=VERSION,
            vector=vector,
            isolation=isolation_of(vector) if lens == BLEND else None,
        )
        for track, analysis in pairs
        for lens, vector in vectors_of(facts_of(analysis)).items()
    )


def _array(values: Sequence[float] | None) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    return None if values is None else np.asarray(values, np.float32)
