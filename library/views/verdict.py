"""Prepare an analysis for display: whole percentages, sentences, segments of one genre."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from django.utils.translation import gettext, gettext_lazy

from classifier.core import pictures
from classifier.core.features import DEFAULT_PARAMS
from classifier.models import Genre
from library.models import Analysis

# A silent segment has the same share of every genre, so no genre is shown.
_LEVEL = 1e-3

GenreOf = Callable[[str], Genre]

# Names and descriptions of the pictures.
_PICTURES = {
    "spectrogram": (
        gettext_lazy("Spectrogram"),
        gettext_lazy(
            "How strong each frequency is, over time: low notes at the bottom, the brighter the louder."
        ),
    ),
    "mel": (
        gettext_lazy("Mel"),
        gettext_lazy("The same as the ear weighs it, in mel bands. This is what the classifier listens to."),
    ),
    "chroma": (
        gettext_lazy("Chroma"),
        gettext_lazy(
            "Which of the twelve notes sound, whatever their octave. Similar tracks are found by these."
        ),
    ),
    "mfcc": (
        gettext_lazy("MFCC"),
        gettext_lazy(
            "The shape of the sound's colour (its timbre) as coefficients, the coarsest at the bottom."
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A genre, its probability, and the whole percentage to show."""

    genre: Genre
    share: float
    percent: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a track with one most probable genre, or with none if it is silent."""

    start: float
    end: float
    genre: Genre | None
    share: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the sound whose width is the whole track."""

    name: str
    label: str
    stored: str
    url: str

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.stored).suffix

    @property
    def alt(self) -> str:
        return gettext("{picture} of the whole track").format(picture=self.label)


class Scale(NamedTuple):
    """What a picture shows, and the marks of its axis: the same for very many tracks."""

    name: str
    ticks: tuple[tuple[float, str], ...]

    @property
    def label(self) -> str:
        return str(_PICTURES[self.name][0])

    @property
    def about(self) -> str:
        return str(_PICTURES[self.name][1])


def ticks_of(analysis: Analysis, picture: str) -> tuple[tuple[float, str], ...]:
    """Give the marks of a picture's axis, each with its place.

    Analyses of former versions keep marks that lie closer together than their labels are high.
    """
    marks = [pictures.Tick(position, label) for position, label in analysis.ticks.get(picture, [])]
    return tuple((tick.position, tick.label) for tick in pictures.legible(marks))


@dataclass(frozen=True, slots=True)
class Verdict:
    """An analysis as a page shows it.

    Attributes
    ----------
    bars : list of Bar
        Every genre, the most probable first; the percentages sum to 100.
    likely : list of Bar
        The two or three that an unsure verdict names.
    stretches : list of Stretch
    stale : bool
        Whether another classifier is in service now.
    uses_tagger : bool
        Whether the version is joined with the tagger.
    """

    analysis: Analysis
    bars: list[Bar]
    likely: list[Bar]
    stretches: list[Stretch]
    stale: bool
    uses_tagger: bool

    @property
    def top(self) -> Bar:
        return self.bars[0]

    @property
    def sure(self) -> bool:
        return self.analysis.music and not self.analysis.unsure

    @property
    def lacks_tagger(self) -> bool:
        """Whether the version in service uses the tagger, which was missing when the track was analysed."""
        return self.uses_tagger and not (self.analysis.tag_version or self.stale)

    @property
    def leans(self) -> bool:
        """Whether one genre has most of the probability."""
        return self.top.share > 0.5

    @property
    def likely_percent(self) -> int:
        """Sum of the percentages of the likely genres."""
        return sum(bar.percent for bar in self.likely)

    @property
    def pictures(self) -> list[Picture]:
        stored = {name: getattr(self.analysis, name) for name in _PICTURES}
        return [Picture(name, str(_PICTURES[name][0]), file.name, file.url) for name, file in stored.items()]

    @property
    def scales(self) -> tuple[Scale, ...]:
        """What the pictures are pictures of, in their order."""
        return tuple(Scale(name, ticks_of(self.analysis, name)) for name in _PICTURES)

    @classmethod
    def of(cls, analysis: Analysis, genre_of: GenreOf, *, uses_tagger: bool) -> Verdict:
        percents = whole_percents(analysis.probabilities)
        ranked = sorted(analysis.probabilities.items(), key=lambda item: (-item[1], item[0]))
        bars = {label: Bar(genre_of(label), share, percents[label]) for label, share in ranked}
        return cls(
            analysis=analysis,
            bars=list(bars.values()),
            likely=[bars[label] for label, _share in analysis.likely],
            stretches=list(stretches(analysis.timeline, genre_of)),
            stale=not analysis.model_version.is_in_service,
            uses_tagger=uses_tagger,
        )


def whole_percents(probabilities: Mapping[str, float]) -> dict[str, int]:
    """Round shares of one to whole percentages that sum to 100.

    The largest one is rounded as everywhere on the site (halves up, and to 100 only if it is exactly 1); the
    others share the rest by largest remainders, so that none changes by more than one.
    """
    if not probabilities:
        return {}
    ranked = sorted(probabilities.items(), key=lambda item: (-item[1], item[0]))
    (best, share), others = ranked[0], ranked[1:]
    rounded = math.floor(share * 100 + 0.5)
    percents = {best: 100 if not others else min(rounded, 99) if share < 1 else rounded}
    percents.update({label: math.floor(share * 100) for label, share in others})
    missing = 100 - sum(percents.values())
    by_remainder = sorted(others, key=lambda item: -(item[1] * 100 % 1))
    for label, _share in by_remainder[: max(0, missing)]:
        percents[label] += 1
    return percents


def stretches(timeline: list[dict[str, Any]], genre_of: GenreOf) -> Iterator[Stretch]:
    """Merge adjacent segments with the same most probable genre; their shares are averaged over time."""
    label: str | None = None
    start = end = weight = 0.0
    for segment in timeline:
        genre = _likeliest(segment["probabilities"])
        if genre != label and end > start:
            yield _stretch(start, end, label, weight, genre_of)
        if genre != label or end == start:
            label, start, weight = genre, segment["start"], 0.0
        end = segment["end"]
        weight += (end - segment["start"]) * segment["probabilities"].get(genre, 0.0)
    if end > start:
        yield _stretch(start, end, label, weight, genre_of)


def _stretch(start: float, end: float, label: str | None, weight: float, genre_of: GenreOf) -> Stretch:
    return Stretch(start, end, genre_of(label) if label else None, weight / (end - start))


def _likeliest(probabilities: Mapping[str, float]) -> str | None:
    if not probabilities or max(probabilities.values()) - min(probabilities.values()) < _LEVEL:
        return None
    return max(probabilities, key=lambda label: probabilities[label])


def sound_data(verdict: Verdict) -> dict[str, Any]:
    """Return the data that the browser draws a track's pictures from, in compact form.

    A 20-minute track has hundreds of segments; their shares are in thousandths, in the order of `genres`.
    """
    analysis = verdict.analysis
    segments = analysis.timeline
    return {
        "genres": [
            {"name": bar.genre.display_name, "colour": bar.genre.colour, "slug": bar.genre.slug}
            for bar in verdict.bars
        ],
        "bounds": [segment["start"] for segment in segments] + [segment["end"] for segment in segments[-1:]],
        "shares": [
            [round(1000 * segment["probabilities"].get(bar.genre.slug, 0.0)) for bar in verdict.bars]
            for segment in segments
        ],
        "peaks": analysis.peaks,
        "pictures": {
            "colours": pictures.COLOURS,
            "decibels": pictures.DYNAMIC_RANGE_DB,
            "spectrogram": pictures.spectrogram_range(),
            "sampleRate": DEFAULT_PARAMS.sample_rate,
        },
    }
