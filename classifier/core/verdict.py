"""The verdict on a track: the platform's network, a head on the tagger's embedding, and the tags, joined.

The probabilities of the three are joined by a weighted geometric mean (a logarithmic opinion pool; Genest and
Zidek, Combining Probability Distributions, 1986). Weights, temperature and thresholds were chosen on songs
that no part of it was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.arrays import arrays_from, shaped
from classifier.core.errors import ReleaseError
from classifier.core.prediction import TrackTags
from classifier.core.tagger import MSD_TAGS, MTT_TAGS, TagOutput

FloatArray = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]

HEAD_FILE: Final = "tagger_head.npz"
HEAD_REPLAY_FILE: Final = "tagger_replay.npz"
"""What a head is fitted on anew, beside new clips: read by further training only."""

GENRE_TAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "blues": ("blues",),
    "classical": tuple(
        f"mtt:{tag}"
        for tag in ("classical", "opera", "violin", "cello", "harpsichord", "choir", "choral", "strings")
    ),
    "country": ("country",),
    "hiphop": ("hip-hop",),
    "jazz": ("jazz",),
    "metal": ("metal", "heavy metal"),
    "pop": ("pop",),
    "rock": ("rock", "alternative rock", "indie rock", "classic rock", "hard rock", "punk"),
}
"""Tags that mean a genre, the strongest of which counts: MSD's, or MTT's where so marked. MSD's have none for
classical music, and neither has one for disco or reggae."""

STYLE_TAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "electronic": ("electronic", "electronica", "electro", "dance"),
    "house": ("house",),
    "ambient": ("ambient", "chillout", "chill"),
    "folk": ("folk",),
    "soul": ("soul", "rnb"),
    "funk": ("funk",),
    "experimental": ("experimental",),
}
"""Tags of styles that are none of GTZAN's genres."""

TAGGED_LABELS: Final = frozenset({*GENRE_TAGS, "disco", "reggae"})
"""The labels for which the parts were weighed against each other: GTZAN's."""

_LEAST = 1e-6
_ADDED_NETWORK: Final = 0.1
_ADDED_HEAD: Final = 0.7
"""Exponents for a label that a site has added, against all others together. The network was fitted on songs
from before 2001: it takes what is new about a song's sound for a sign of the added genre. These numbers and
those that follow were chosen on genres taught anew, held out by artist."""
_ADDED_ODDS: Final = 0.45
"""Strength of the strongest tag of the other labels at which it counts neither for nor against an added one:
less loses songs of the new genre, more gives it songs of the others."""
_ADDED_STYLE: Final = 0.3
_USUAL_STYLE: Final = 0.165
"""Exponent of the tags of an added label that has the name of a style, and the strength at which they count
neither for nor against it: the mean of such a genre's songs. Other added labels are taken to have it."""
_ADDED_INSIDE: Final = 0.38
"""`Verdict.inside` of a label that a site has added: sure from a probability of 0.92 on. Then 1 to 2 % of the
modern songs of other genres are surely called by it."""
_LEAST_TAG = 1e-3
_SILENT = 0.01  # of the loudest patch: 40 dB below it


@dataclass(frozen=True, slots=True)
class VerdictParams:
    """How the parts are joined.

    Attributes
    ----------
    network, head, tags
        Exponents of the probabilities.
    untagged
        Strength that a genre without tags is taken to have: where every tag is weaker, such genres gain.
    temperature
        Divides the logarithm of the joined probabilities.
    unsure_below
        A verdict with a lower confidence is marked unsure.
    none_below
        Where `Verdict.inside` is lower too, the track is said to be none of the genres.
    """

    network: float = 0.3
    head: float = 0.5
    tags: float = 1.0
    untagged: float = 0.05
    temperature: float = 0.8
    unsure_below: float = 0.35
    none_below: float = 0.11


DEFAULT_PARAMS: Final = VerdictParams()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a track.

    Attributes
    ----------
    label
        The likeliest genre, also where `unsure` or `style` says that it should not be relied on.
    probabilities
        By label, summing to 1.
    inside
        0 to 1: strength of the likeliest genre's tags, as a share of it and of all tags of styles that are
        none of the labels. Half is much: those are many. The same for every label that a site has added.
    confidence
        The likeliest genre's probability times `inside`: ranks verdicts by how far they can be relied on, and
        is no probability itself.
    unsure
        The confidence is too low.
    style
        The strongest style that is none of the labels, where such styles clearly outweigh; else None.
    """

    label: str
    probabilities: Mapping[str, float]
    inside: float
    confidence: float
    unsure: bool
    style: str | None


class TaggerHead:
    """A last layer on the tagger's features: which genre, of those that it was fitted on."""

    def __init__(self, weights: FloatArray, biases: FloatArray, labels: Sequence[str], tagger: str) -> None:
        self.weights = np.asarray(weights, np.float32)
        self.biases = np.asarray(biases, np.float32)
        self.labels = tuple(labels)
        self.tagger = tagger

    @classmethod
    def from_bytes(cls, content: bytes) -> TaggerHead:
        """Read what `classifier.fitting.tagger_head` wrote; anybody may have made it.

        Raises
        ------
        ReleaseError
            It is something else.
        """
        what = "The tagger's head"
        arrays = arrays_from(content, what=what)
        shaped(arrays, {"weights": ("d", "n"), "biases": ("n",), "metadata": ()}, what=what)
        try:
            metadata = json.loads(str(arrays["metadata"]))
            labels, tagger = metadata["labels"], metadata["tagger"]
        except (ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"{what} does not say what it is for.") from error
        fits = isinstance(labels, list) and len(labels) == len(set(map(str, labels))) == len(arrays["biases"])
        if not (fits and all(isinstance(label, str) for label in labels) and isinstance(tagger, str)):
            raise ReleaseError(f"{what} does not name its genres.")
        return cls(arrays["weights"], arrays["biases"], labels, tagger)

    def probabilities(self, row: FloatArray) -> dict[str, float]:
        """By label, summing to 1, for a (n_features,) row.

        Raises
        ------
        ValueError
            The row has another length.
        """
        if row.shape != (len(self.weights),):
            raise ValueError(f"expected ({len(self.weights)},), got {row.shape}")
        values = softmax(row @ self.weights + self.biases)
        return {label: float(p) for label, p in zip(self.labels, values, strict=True)}


def pool_tags(output: TagOutput, *, version: str) -> TrackTags:
    """Average the patches of a track, without those that are 40 dB softer than the loudest.

    Parameters
    ----------
    version
        Of the tagger.
    """
    values = {
        name: mean_over_patches(output, name, patches.probabilities)
        for name, patches in output.networks.items()
    }
    msd = output.networks["msd"]
    tags = _track_tags(
        values,
        mean_over_patches(output, "msd", msd.pooled),
        mean_over_patches(output, "msd", msd.embedding),
        version=version,
    )
    if output.levelled is None:
        return tags
    parts = (output.levelled.pooled, output.levelled.embedding)
    return replace(tags, levelled=np.concatenate([mean_over_patches(output, "msd", part) for part in parts]))


def patch_tags(output: TagOutput, *, version: str) -> list[TrackTags]:
    """Give the output of each of MSD's patches, with that of the nearest patch of every other network."""
    probabilities = {name: patches.probabilities for name, patches in output.networks.items()}
    msd = output.networks["msd"]
    return [
        _track_tags(
            {
                name: probabilities[name][np.abs(places - place).argmin()]
                for name, places in output.asked.items()
            },
            msd.pooled[row],
            msd.embedding[row],
            version=version,
        )
        for row, place in enumerate(output.asked["msd"])
    ]


def _track_tags(
    probabilities: Mapping[str, FloatArray], pooled: FloatArray, embedding: FloatArray, *, version: str
) -> TrackTags:
    strengths: dict[str, float] = {}
    for name, tags, prefix in (("msd", MSD_TAGS, ""), ("mtt", MTT_TAGS, "mtt:")):
        if name in probabilities:
            strengths |= {
                f"{prefix}{tag}": float(p) for tag, p in zip(tags, probabilities[name], strict=True)
            }
    row = np.concatenate([pooled, embedding]).astype(np.float32)
    return TrackTags(strengths, row, np.asarray(embedding, dtype=np.float32), version)


def mean_over_patches(output: TagOutput, name: str, values: FloatArray) -> FloatArray:
    """Average (n, d) values of a network's patches, without those that are 40 dB softer than the loudest."""
    level = output.level[output.asked[name]]
    return np.asarray(values[level >= _SILENT * level.max()].mean(axis=0))


def join(
    network: Mapping[str, float],
    tags: TrackTags,
    head: TaggerHead | None = None,
    params: VerdictParams = DEFAULT_PARAMS,
) -> Verdict:
    """Join the probabilities of the platform's network with the tagger's output.

    Labels that a site has added are weighed against all others together; how the others compare does not
    depend on them. No tags are known of added labels, except of those named like a style.

    Parameters
    ----------
    network
        Calibrated probabilities by label: which labels there are. A label that has the name of a style, as a
        site's own genre *folk* would, takes that style's tags.
    head
        Labels it does not know keep what the network gives them.
    """
    labels = list(network)
    own = np.array([network[label] for label in labels], np.float64)
    added = np.array([label not in TAGGED_LABELS for label in labels])
    evidence = np.array([_evidence(label, tags.strengths, params) for label in labels])
    from_head = own if head is None else head_probabilities(head.probabilities(tags.row), labels, own)
    pooled = params.network * np.log(np.maximum(own, _LEAST)) + params.tags * np.log(evidence)
    if head is not None:
        pooled = pooled + params.head * np.log(np.maximum(from_head, _LEAST))
    if added.any() and not added.all():
        pooled[added] = _log_sum(pooled[~added], params) + (
            _ADDED_NETWORK * _log_odds(own, added)
            + _ADDED_HEAD * _log_odds(from_head, added)
            + _ADDED_STYLE * np.log(evidence[added] / _USUAL_STYLE)
            + np.log(_ADDED_ODDS / evidence[~added].max())
        )
    probabilities = softmax(pooled / params.temperature)
    best = int(probabilities.argmax())
    styles = {
        style: [tags.strengths[tag] for tag in names]
        for style, names in STYLE_TAGS.items()
        if style not in labels
    }
    against = sum(sum(strengths) for strengths in styles.values())
    inside = _ADDED_INSIDE
    if not added[best]:
        supported = evidence[best]
        if _tags_of(labels[best], tags.strengths) == ():
            supported = max(supported, 0.5 * probabilities[best])
        inside = float(supported / (supported + against))
    confidence = float(probabilities[best]) * inside
    unsure = confidence < params.unsure_below
    outweighed = unsure and inside < params.none_below and bool(styles)
    return Verdict(
        label=labels[best],
        probabilities={label: float(p) for label, p in zip(labels, probabilities, strict=True)},
        inside=inside,
        confidence=confidence,
        unsure=unsure,
        style=max(styles, key=lambda style: max(styles[style])) if outweighed else None,
    )


def _tags_of(label: str, strengths: Mapping[str, float]) -> tuple[str, ...]:
    names = GENRE_TAGS.get(label) or STYLE_TAGS.get(label, ())
    return tuple(name for name in names if name in strengths)


def _evidence(label: str, strengths: Mapping[str, float], params: VerdictParams) -> float:
    """The strongest of a label's tags, or what is assumed where there is none."""
    names = _tags_of(label, strengths)
    if names:
        return max(_LEAST_TAG, *(strengths[name] for name in names))
    return params.untagged if label in TAGGED_LABELS else _USUAL_STYLE


def _log_odds(probabilities: Float64, added: NDArray[np.bool_]) -> Float64:
    """Of each added label against all that are not added."""
    others = np.log(max(float(probabilities[~added].sum()), _LEAST))
    return np.asarray(np.log(np.maximum(probabilities[added], _LEAST)) - others)


def _log_sum(pooled: Float64, params: VerdictParams) -> float:
    """What one label would have that is as probable as all of some together."""
    most = float(pooled.max())
    total = np.exp((pooled - most) / params.temperature).sum()
    return most + params.temperature * float(np.log(total))


def head_probabilities(given: Mapping[str, float], labels: Sequence[str], own: Float64) -> Float64:
    """The head's probabilities in the order of `labels`; what it does not know takes the network's."""
    known = np.array([label in given for label in labels])
    values = np.array([given.get(label, 0.0) for label in labels])
    total = values.sum()
    if total > 0:
        values *= (1.0 - own[~known].sum()) / total
    return np.where(known, values, own)
