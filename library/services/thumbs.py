"""Thumbs up and down on neighbours, and the order that was learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Case, F, FloatField, QuerySet, When
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.django import L2Distance

from classifier.core import lens_weights
from classifier.core.lenses import LENSES, VERSION
from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import LearnedWeights, Thumb, Track, TrackLens
from library.services.lens_queries import LensQuery

MOST_LEARNT: Final = 500
"""The newest thumbs, from which weights are learnt."""

_QUERIES: Final = PreparedQueries()

Float64 = NDArray[np.float64]


class HasTrack(Protocol):
    """A neighbour that is to be put in order."""

    @property
    def pk(self) -> UUID: ...


Candidate = TypeVar("Candidate", bound=HasTrack)


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """What a person made known of neighbours.

    Attributes
    ----------
    weights
        (n_lenses,) as `classifier.core.lens_weights.fit` gives them; None where there are no thumbs.
    thumbs
        1 or -1 by neighbour of what is asked about.
    """

    weights: Float64 | None = None
    thumbs: Mapping[UUID, int] = field(default_factory=dict)


NO_PREFERENCES: Final = Preferences()


def give(*, user: User, query: Track, neighbour: Track, value: int, lens: str) -> Thumb:
    """Keep a thumb, in place of an earlier one on the same neighbour, and learn from it.

    Parameters
    ----------
    value
        One of `Thumb.Value`.
    """
    with transaction.atomic():
        _hold(user)
        thumb, _created = Thumb.objects.update_or_create(
            user=user, query=query, neighbour=neighbour, defaults={"value": value, "lens": lens}
        )
        _learn(user)
    return thumb


def take_back(*, user: User, query: UUID, neighbour: UUID) -> bool:
    """Forget a thumb; False where there is none."""
    with transaction.atomic():
        _hold(user)
        gone, _by_model = Thumb.objects.filter(user=user, query=query, neighbour=neighbour).delete()
        if gone:
            _learn(user)
    return bool(gone)


def listed(*, user: User) -> QuerySet[Thumb]:
    """The person's thumbs on tracks that they may still see, the newest first."""
    seen = Track.objects.visible_to(user)
    thumbs = Thumb.objects.filter(user=user, query__in=seen, neighbour__in=seen)
    return thumbs.select_related("query", "neighbour").order_by("-changed", "-pk")


def preferences_of(user: User | AnonymousUser, query: LensQuery) -> Preferences:
    """What a person made known, as far as it has a part in the neighbours of `query`."""
    if not user.is_authenticated:
        return NO_PREFERENCES
    found = _QUERIES.instances(
        "weights", [user.pk], like=lambda: (LearnedWeights.objects.filter(pk=-1).order_by(), [-1])
    )
    if not found:
        return NO_PREFERENCES
    row = found[0]
    thumbs = Thumb.objects.filter(user=user, query__in=query.tracks).values_list("neighbour", "value")
    known = row.version == VERSION
    weights = np.array([row.weights.get(lens, 0.0) for lens in LENSES], np.float64) if known else None
    return Preferences(weights, dict(thumbs))


def ordered(candidates: Sequence[Candidate], query: LensQuery, preferences: Preferences) -> list[Candidate]:
    """Order neighbours by what was learnt; those that have a thumb down come last.

    Parameters
    ----------
    preferences
        With weights.
    """
    if preferences.weights is None or not candidates:
        return list(candidates)
    squared = _squared_to(query, [each.pk for each in candidates])
    scores = lens_weights.scores(squared, preferences.weights)
    disliked = np.array([preferences.thumbs.get(each.pk, 0) < 0 for each in candidates])
    return [candidates[place] for place in np.lexsort((scores, disliked))]


def _squared_to(query: LensQuery, tracks: Sequence[UUID]) -> Float64:
    """Squared distances (n_tracks, n_lenses) to what is asked about; NaN where a lens does not know both."""
    places = {track: place for place, track in enumerate(tracks)}
    by_lens = [
        When(lens=lens, then=L2Distance("vector", HalfVector(vector)))
        for lens, vector in query.vectors.items()
    ]
    rows = TrackLens.objects.filter(track__in=tracks, version=VERSION, lens__in=list(query.vectors)).annotate(
        distance=Case(*by_lens, output_field=FloatField())
    )
    squared = np.full((len(tracks), len(LENSES)), np.nan)
    for track, lens, distance in rows.values_list("track", "lens", "distance"):
        squared[places[track], LENSES.index(lens)] = distance**2
    return squared


def _hold(user: User) -> None:
    """Let only one request at a time change what is learnt of a person."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)


def _learn(user: User) -> None:
    thumbs = list(Thumb.objects.filter(user=user).values_list("pk", "value")[:MOST_LEARNT])
    if not thumbs:
        LearnedWeights.objects.filter(pk=user.pk).delete()
        return
    places = {pk: place for place, (pk, _value) in enumerate(thumbs)}
    squared = np.full((len(thumbs), len(LENSES)), np.nan)
    measured = Thumb.objects.filter(
        pk__in=places,
        query__lenses__version=VERSION,
        neighbour__lenses__version=VERSION,
        neighbour__lenses__lens=F("query__lenses__lens"),
    ).annotate(distance=L2Distance("query__lenses__vector", F("neighbour__lenses__vector")))
    for pk, lens, distance in measured.order_by().values_list("pk", "query__lenses__lens", "distance"):
        if lens in LENSES:
            squared[places[pk], LENSES.index(lens)] = distance**2
    weights = lens_weights.fit(squared, [value > 0 for _pk, value in thumbs])
    LearnedWeights.objects.update_or_create(
        user=user,
        defaults={"version": VERSION, "weights": dict(zip(LENSES, weights.round(5).tolist(), strict=True))},
    )
