"""Vectors of tracks that do not exist, shaped like those of tracks that do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db.models import F
from numpy.typing import NDArray

from classifier.core.lenses import (
    BLEND,
    FITTED,
    HARMONY,
    HARMONY_ANY_KEY,
    LENSES,
    MOOD,
    SIZES,
    SOUND,
    TIMBRE,
    VERSION,
    blend,
    unit,
)
from classifier.core.tags import TAGS, flattened
from library.models import Analysis, TrackLens

FloatArray = NDArray[np.float32]

MOST_READ: Final = 2_000
FEWEST: Final = 300
"""With fewer real tracks than this, synthetic ones would be crowds around a few points."""

# Measured on 137 whole clips of GTZAN: the variances of the principal components of a lens fall with this
# power of their rank, and genres account for this share of the variance.
_SPECTRUM: Final = {SOUND: -1.06, HARMONY: -0.86, HARMONY_ANY_KEY: -0.81, TIMBRE: -1.17}
_BETWEEN_GENRES: Final = {SOUND: 0.37, HARMONY: 0.17, HARMONY_ANY_KEY: 0.18, TIMBRE: 0.29}
_TAG_FACTORS: Final = 12
_NEIGHBOUR: Final = 0.5
"""How far a synthetic track lies from one model towards another, at most."""
_NOISE: Final = 0.4
"""Deviation of what is added in each dimension, as a share of the models' own deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Tracks that synthetic ones are made after: n of them.

    Attributes
    ----------
    vectors
        (n, SIZES[lens]) unit vectors by lens, of all lenses.
    strengths
        (n, len(TAGS)), 0 to 1.
    genres
        (n,) numbers of genres.
    are_real
        Whether they are of this site's own analyses.
    """

    vectors: Mapping[str, FloatArray]
    strengths: FloatArray
    genres: NDArray[np.int64]
    are_real: bool

    def __len__(self) -> int:
        return len(self.genres)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Synthetic tracks: as `Models`, with the number of the model that each was made after."""

    vectors: Mapping[str, FloatArray]
    strengths: FloatArray
    genres: NDArray[np.int64]
    models: NDArray[np.int64]


def models(genres: Sequence[str], rng: np.random.Generator) -> Models:
    """Read the models from the site's analyses; make some up where there are too few.

    Parameters
    ----------
    genres
        Slugs of the site's genres.
    """
    return _read(genres) or _made_up(len(genres), rng)


def _read(genres: Sequence[str]) -> Models | None:
    numbers = {slug: number for number, slug in enumerate(genres)}
    analyses = Analysis.objects.filter(
        genre__in=genres, lens_version=VERSION, tags__has_key="mood", track__current=F("pk")
    )
    rows = list(analyses.values_list("track", "genre", "tags")[:MOST_READ])
    found: dict[object, dict[str, FloatArray]] = {}
    lenses = TrackLens.objects.filter(track__in=[row[0] for row in rows], version=VERSION)
    for track, lens, vector in lenses.values_list("track", "lens", "vector").iterator():
        found.setdefault(track, {})[lens] = np.asarray(vector, np.float32)
    strengths = {track: flattened(tags) for track, _genre, tags in rows}
    whole = [
        (track, numbers[genre])
        for track, genre, _tags in rows
        if len(found.get(track, ())) == len(LENSES) and len(strengths[track]) == len(TAGS)
    ]
    if len(whole) < FEWEST:
        return None
    return Models(
        vectors={lens: np.stack([found[track][lens] for track, _number in whole]) for lens in LENSES},
        strengths=np.array([[strengths[track][tag] for tag in TAGS] for track, _number in whole], np.float32),
        genres=np.array([number for _track, number in whole]),
        are_real=True,
    )


def _made_up(n_genres: int, rng: np.random.Generator) -> Models:
    genres = rng.integers(0, max(1, n_genres), MOST_READ)
    vectors = {
        lens: unit(_clustered(SIZES[lens], genres, _SPECTRUM[lens], _BETWEEN_GENRES[lens], rng))
        for lens in FITTED
    }
    factors = _clustered(_TAG_FACTORS, genres, -1.0, _BETWEEN_GENRES[SOUND], rng)
    loadings = rng.standard_normal((_TAG_FACTORS, len(TAGS))).astype(np.float32)
    scores = factors @ loadings
    scores += 0.5 * scores.std(axis=0) * rng.standard_normal(scores.shape).astype(np.float32)
    # Half of the songs are weaker than .5 in each tag.
    ranks = scores.argsort(axis=0).argsort(axis=0)
    strengths = np.asarray((ranks + 0.5) / len(ranks), np.float32)
    vectors |= _of_tags(strengths, vectors[SOUND], vectors[HARMONY], vectors[TIMBRE])
    return Models(
        vectors={lens: vectors[lens] for lens in LENSES}, strengths=strengths, genres=genres, are_real=False
    )


def _clustered(
    size: int, genres: NDArray[np.int64], power: float, between: float, rng: np.random.Generator
) -> FloatArray:
    deviations = np.arange(1, size + 1) ** (power / 2)
    centres = rng.standard_normal((int(genres.max(initial=0)) + 1, size)) * deviations
    own = rng.standard_normal((len(genres), size)) * deviations
    return np.asarray(between**0.5 * centres[genres] + (1 - between) ** 0.5 * own, np.float32)


def _of_tags(
    strengths: FloatArray, sound: FloatArray, harmony: FloatArray, timbre: FloatArray
) -> dict[str, FloatArray]:
    """Make the two lenses that tags have a part in."""
    moods = [number for number, tag in enumerate(TAGS.values()) if tag.group == "mood"]
    tags = unit(strengths - 0.5)
    blended = [blend(*parts) for parts in zip(sound, harmony, tags, timbre, strict=True)]
    return {MOOD: unit(strengths[:, moods] - 0.5), BLEND: np.stack(blended)}


class Maker:
    """Makes synthetic tracks after models: between two of one genre, and moved at random from there."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._of_genre = [
            np.flatnonzero(models.genres == number) for number in range(models.genres.max() + 1)
        ]
        self._deviations = {lens: rows.std(axis=0) for lens, rows in models.vectors.items()}

    def make(self, count: int, rng: np.random.Generator) -> Made:
        """Make `count` tracks."""
        first = rng.integers(0, len(self._models), count)
        genres = self._models.genres[first]
        second = np.empty_like(first)
        for number, members in enumerate(self._of_genre):
            of_genre = genres == number
            second[of_genre] = rng.choice(members, of_genre.sum()) if len(members) else 0
        way = rng.uniform(0, _NEIGHBOUR, (count, 1)).astype(np.float32)

        def between(rows: FloatArray) -> FloatArray:
            return np.asarray(rows[first] + way * (rows[second] - rows[first]), np.float32)

        return Made(
            vectors={
                lens: unit(between(rows) + self._noise(lens, (count, rows.shape[1]), rng))
                for lens, rows in self._models.vectors.items()
            },
            strengths=between(self._models.strengths),
            genres=genres,
            models=first,
        )

    def _noise(self, lens: str, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        return np.asarray(
            _NOISE * self._deviations[lens] * rng.standard_normal(shape, np.float32), np.float32
        )
