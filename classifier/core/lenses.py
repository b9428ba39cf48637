"""Lenses: what of a track is compared when similar ones are looked for, as unit vectors.

Each lens is a vector whose Euclidean distance (0 is identical, 2 is opposite) tells how alike two tracks are
in one respect. They are made of what an analysis holds anyway. *Sound*, *harmony*, *harmony in any key* and
*timbre* are linear projections that were fitted by ``python -m classifier.fitting.lenses``: what differs
between two halves of one song counts less, and what differs between songs counts more (within-class
covariance normalisation; Hatch, Kajarekar and Stolcke, Interspeech 2006). *Mood* compares the strengths of
the mood tags. The *blend* puts sound, harmony, all tags and timbre side by side.

Some tracks are near to very many others (hubs; Radovanović et al., JMLR 2010). By the blend neighbours are
ordered by `corrected_distance`, which moves those away that are near to many reference songs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import chroma
from classifier.core.key_invariants import key_invariants
from classifier.core.tags import TAGS, flattened

FloatArray = NDArray[np.float32]

VERSION: Final = "3"
"""Of all lenses together; to be raised when any of them changes."""
CONSTANTS_FILE: Final = Path(__file__).parent / "lens_constants.npz"
"""Written by ``python -m classifier.fitting.lenses``."""

BLEND: Final = "blend"
SOUND: Final = "sound"
HARMONY: Final = "harmony"
HARMONY_ANY_KEY: Final = "harmony_any_key"
TIMBRE: Final = "timbre"
MOOD: Final = "mood"
DEFAULT: Final = BLEND
FITTED: Final = (SOUND, HARMONY, HARMONY_ANY_KEY, TIMBRE)

_MOODS: Final = tuple(slug for slug, tag in TAGS.items() if tag.group == "mood")
_TAGS: Final = tuple(TAGS)
# Chosen on queries of 104 clips that are neither of GTZAN's train nor of its test part.
_BLEND: Final = {SOUND: 1.0, HARMONY: 0.4, "tags": 1.1, TIMBRE: 0.7}
_CROWD: Final = 10
"""So many of the nearest reference songs tell how crowded it is around a track."""
_CORRECTION: Final = 0.5
"""Exponent: 0 changes no distance, 1 measures it in units of the distance to the nearest reference songs."""
_ITSELF: Final = 1e-4
_LEAST_ISOLATION: Final = 0.25
SOUND_OLDER: Final = "sound_older"
"""Sound as it is estimated from the embedding at the track's own level, of analyses without the other."""

SIZES: Final[Mapping[str, int]] = {
    BLEND: 64 + 64 + len(_TAGS) + 57,
    SOUND: 64,
    HARMONY: 64,
    HARMONY_ANY_KEY: 64,
    TIMBRE: 57,
    MOOD: len(_MOODS),
}
"""Number of dimensions by lens, in the order in which lenses are offered."""
LENSES: Final = tuple(SIZES)


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What an analysis holds of a track.

    Attributes
    ----------
    descriptor
        (DESCRIPTOR_SIZE,) of `descriptor_version`.
    embedding
        (200,) of the tagger `tagger_version`; None without one.
    levelled
        (n_features,) of the tagger for the sound at a common level: its pooled channels, then its embedding.
        None where it was analysed before there was any.
    timbre
        (TIMBRE_SIZE,); None where it was analysed before there was any.
    strengths
        Of tags by group, as `classifier.core.tags.calibrated` gives them; empty without a tagger.
    """

    descriptor: FloatArray
    descriptor_version: str
    embedding: FloatArray | None
    levelled: FloatArray | None
    tagger_version: str
    timbre: FloatArray | None
    strengths: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A fitted lens: ``unit((x - mean) @ matrix)`` with (n,) and (n, size)."""

    mean: FloatArray
    matrix: FloatArray

    def __call__(self, values: FloatArray) -> FloatArray:
        """Unit vectors (n_rows, size) of (n_rows, n) values."""
        return unit(np.asarray((values - self.mean) @ self.matrix, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """What was fitted.

    Attributes
    ----------
    projections
        Of each fitted lens, and of `SOUND_OLDER`.
    tagger
        Version of the tagger whose embeddings *sound* is for.
    reference
        (n, SIZES[BLEND]) blends of the songs that the lenses were fitted on.
    widest
        Mean squared distance to the nearest of `reference` from which on a track counts as apart from others.
    """

    projections: Mapping[str, Projection]
    tagger: str
    reference: FloatArray
    widest: float


@lru_cache(maxsize=1)
def constants() -> Constants:
    """Read the constants that come with the platform."""
    with np.load(CONSTANTS_FILE) as archive:
        projections = {
            lens: Projection(archive[f"{lens}_mean"], archive[f"{lens}_matrix"])
            for lens in (*FITTED, SOUND_OLDER)
        }
        return Constants(
            projections,
            str(archive["tagger"]),
            archive["reference"].astype(np.float32),
            float(archive["widest"]),
        )


def unit(rows: FloatArray) -> FloatArray:
    """Scale rows (n_rows, n) to unit length; rows of zeros become some unit vector."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    even = np.full_like(rows, rows.shape[1] ** -0.5)
    return np.asarray(np.where(norms > 1e-9, rows / np.maximum(norms, 1e-9), even), np.float32)


def inputs_of(facts: Facts) -> dict[str, FloatArray]:
    """What the fitted lenses are given of a track; a lens lacks where the analysis lacks what it needs."""
    found = {}
    if facts.descriptor_version == chroma.DESCRIPTOR_VERSION:
        found[HARMONY] = facts.descriptor
        found[HARMONY_ANY_KEY] = key_invariants(facts.descriptor[None])[0]
    if facts.levelled is not None:
        found[SOUND] = facts.levelled
    elif facts.embedding is not None:
        found[SOUND_OLDER] = facts.embedding
    if facts.timbre is not None:
        found[TIMBRE] = facts.timbre
    return found


def vectors_of(facts: Facts, fitted: Constants | None = None) -> dict[str, FloatArray]:
    """Unit vectors of a track by lens, (SIZES[lens],) each, in the order of `LENSES`.

    A lens lacks where the analysis lacks what it needs: without a tagger there are no sound, mood and blend.

    Parameters
    ----------
    fitted
        Those that come with the platform where None.
    """
    fitted = fitted or constants()
    inputs = inputs_of(facts)
    if _weights_of(facts.tagger_version) != _weights_of(fitted.tagger):
        inputs = {lens: values for lens, values in inputs.items() if lens not in (SOUND, SOUND_OLDER)}
    found = {lens: fitted.projections[lens](values[None])[0] for lens, values in inputs.items()}
    if SOUND_OLDER in found:
        found[SOUND] = found.pop(SOUND_OLDER)
    strengths = flattened(facts.strengths)
    if all(slug in strengths for slug in _MOODS):
        found[MOOD] = _centred(strengths, _MOODS)
    if {SOUND, HARMONY, TIMBRE} <= found.keys() and all(slug in strengths for slug in _TAGS):
        found[BLEND] = blend(found[SOUND], found[HARMONY], _centred(strengths, _TAGS), found[TIMBRE])
    return {lens: found[lens] for lens in LENSES if lens in found}


def _weights_of(tagger_version: str) -> str:
    """Name the tagger's weights without the version of its inputs or of the table of its tags.

    Embeddings of other inputs of the same weights still find their own track first in 8 to 9 of 10 cases, so
    that older analyses keep their neighbours until they are made again.
    """
    return re.split("[.-]", tagger_version, maxsplit=1)[0]


def blend(sound: FloatArray, harmony: FloatArray, tags: FloatArray, timbre: FloatArray) -> FloatArray:
    """Put unit vectors side by side so that squared distances add up by the squared weights of the blend."""
    weights = _BLEND.values()
    parts = [weight * part for weight, part in zip(weights, (sound, harmony, tags, timbre), strict=True)]
    norm = math.sqrt(sum(weight**2 for weight in weights))
    return np.asarray(np.concatenate(parts) / norm, np.float32)


def spacing(blends: FloatArray, *, among: FloatArray) -> NDArray[np.float64]:
    """Mean squared distance to the nearest reference songs.

    Parameters
    ----------
    blends
        (n, SIZES[BLEND]).
    among
        (m, SIZES[BLEND]) reference songs. One at no distance is the track itself and left out.

    Returns
    -------
    (n,) float64.
    """
    squared = np.square(blends.astype(np.float64)[:, None] - among.astype(np.float64)[None]).sum(axis=2)
    nearest = np.sort(np.where(squared > _ITSELF, squared, np.inf), axis=1)
    return np.asarray(nearest[:, :_CROWD].mean(axis=1), np.float64)


def isolation_of(vector: FloatArray) -> float:
    """How far a track is from reference songs by its blend: from just above 0 to 1, where it is no hub."""
    fitted = constants()
    found = float(spacing(vector[None], among=fitted.reference)[0])
    return min(found / fitted.widest, 1.0)


def corrected_distance(distance: float, isolation: float) -> float:
    """A distance by the blend as neighbours are ordered by: longer to a track that is near to many others.

    A variant of local scaling (Zelnik-Manor and Perona, NIPS 2004; Schnitzer et al., JMLR 2012) with the
    distances to fixed reference songs, so that it needs no other track of the site. It changes the order of
    what is about as near; copies stay the nearest.

    Parameters
    ----------
    distance
        0 to 2.
    isolation
        Of the neighbour, as `isolation_of` gives it.
    """
    return min(distance * float(max(isolation, _LEAST_ISOLATION) ** (-_CORRECTION / 2)), 2.0)


def _centred(strengths: Mapping[str, float], slugs: tuple[str, ...]) -> FloatArray:
    """Unit vector of the strengths; half of the reference songs are weaker than .5 in each."""
    vector: FloatArray = unit(np.array([[strengths[slug] - 0.5 for slug in slugs]], np.float32))[0]
    return vector
