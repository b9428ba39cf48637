"""Figures of the lenses by which similar tracks are found, prepared for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext

from classifier import lens_words
from classifier.core.lenses import BLEND, HARMONY, HARMONY_ANY_KEY, SOUND
from classifier.quality.methods import Goal
from classifier.releases import similarity as figures

_BEFORE: Final = "descriptor"
LEAST_MRR: Final = {SOUND: 0.75, HARMONY: 0.48}
LEAST_MRR_ANY_KEY: Final = 0.35
LEAST_PRECISION: Final = {SOUND: 0.90, BLEND: 0.88}
MOST_NEVER: Final = 0.08
MOST_OFTEN: Final = 10
LEAST_ITSELF: Final = 0.95
LEAST_KEY: Final = 0.65
_THUMBS: Final = 30


@dataclass(frozen=True, slots=True)
class LensRow:
    """A lens: shares in percent, asked by clips that it was not fitted on, and how evenly it recommends.

    Attributes
    ----------
    half
        Of first halves of clips whose second half is the nearest of all.
    right, low, high
        Of the three nearest by other artists that share the genre, and its 95 % interval.
    never
        Of clips that are recommended for no other.
    most
        Times that one clip is recommended.
    """

    name: str | Promise
    half: float
    right: float
    low: float
    high: float
    never: float
    most: int


@dataclass(frozen=True, slots=True)
class Thumbs:
    """What simulated thumbs gain, in percent of the nearest three: without and with `count` of them."""

    count: int
    artist_before: float
    artist: float
    genre_before: float
    genre: float


@dataclass(frozen=True, slots=True)
class Similarity:
    """A row per lens, how many clips were asked about, the project's goals, and what thumbs gain."""

    rows: list[LensRow]
    clips: int
    held_out: int
    goals: list[Goal]
    thumbs: Thumbs | None


def similarity() -> Similarity | None:
    """Read the figures that come with the platform; None where there are none of these lenses."""
    content = figures.read()
    if content is None:
        return None
    names = {slug: words.name for slug, words in lens_words.ALL.items()}
    names[_BEFORE] = gettext("Chroma alone, as in 2026.12")
    return Similarity(
        rows=[_row(names[lens], row) for lens, row in content["lenses"].items() if lens in names],
        clips=content["clips"],
        held_out=content["held_out"],
        goals=_goals(content),
        thumbs=_thumbs(content.get("thumbs")),
    )


def _thumbs(content: Mapping[str, Any] | None) -> Thumbs | None:
    if not content:
        return None

    def share(opinion: str, count: int) -> float:
        return 100 * float(content[opinion][str(count)]["precision"]["value"])

    before = {opinion: share(opinion, 0) for opinion in ("artist", "genre")}
    return Thumbs(
        _THUMBS, before["artist"], share("artist", _THUMBS), before["genre"], share("genre", _THUMBS)
    )


def _row(name: str | Promise, row: Mapping[str, Any]) -> LensRow:
    precision = row["precision_held_out"]
    return LensRow(
        name=name,
        half=100 * row["other_half_held_out"]["first"],
        right=100 * precision["value"],
        low=100 * precision["low"],
        high=100 * precision["high"],
        never=100 * row["never"],
        most=row["most"],
    )


def _goals(content: Mapping[str, Any]) -> list[Goal]:
    """Goals are compared with the figures of all clips, as they were set."""
    lenses, goals = content["lenses"], []
    for lens, bar in LEAST_MRR.items():
        if lens in lenses:
            words = gettext("%(lens)s: the other half of a clip at a mean reciprocal rank of %(bar).2f")
            goals.append(_least(words, lens, lenses[lens]["other_half"]["mrr"], bar))
    if HARMONY_ANY_KEY in lenses:
        words = gettext("%(lens)s: the same at every shift of up to six semitones, %(bar).2f")
        value = lenses[HARMONY_ANY_KEY]["transposed"]["mrr"]
        goals.append(_least(words, HARMONY_ANY_KEY, value, LEAST_MRR_ANY_KEY))
    for lens, bar in LEAST_PRECISION.items():
        if lens in lenses:
            words = gettext("%(lens)s: %(bar).2f of the three nearest by other artists share the genre")
            goals.append(_least(words, lens, lenses[lens]["precision"]["value"], bar))
    if BLEND in lenses:
        row = lenses[BLEND]
        name = lens_words.ALL[BLEND].name
        goals.append(
            Goal(
                gettext(
                    "%(lens)s: at most %(never)d %% are never recommended, and none more than %(most)d times"
                )
                % {"lens": name, "never": round(100 * MOST_NEVER), "most": MOST_OFTEN},
                row["never"] <= MOST_NEVER and row["most"] <= MOST_OFTEN,
                gettext("%(never).1f %% never, %(most)d times")
                % {"never": 100 * row["never"], "most": row["most"]},
            )
        )
    if altered := content["altered"]:
        least = min(altered.values(), key=lambda found: found["value"])
        words = gettext(
            "Another encoding, level or speed of a song, or noise on it, finds that song first: %(bar).2f"
        )
        goals.append(_goal(words % {"bar": LEAST_ITSELF}, least["value"], LEAST_ITSELF))
    if key := content["key"]:
        words = gettext("Keys of %(n)d clips: a weighted score of %(bar).2f")
        goals.append(_goal(words % {"n": key["n"], "bar": LEAST_KEY}, key["weighted"], LEAST_KEY))
    return goals


def _least(words: str, lens: str, value: float, bar: float) -> Goal:
    return _goal(words % {"lens": lens_words.ALL[lens].name, "bar": bar}, value, bar)


def _goal(words: str, value: float, bar: float) -> Goal:
    return Goal(words, value >= bar, f"{value:.3f}")
