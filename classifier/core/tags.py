"""Calibrated strengths of tags: how a track compares with reference songs, tag by tag.

The tagger's outputs cannot be compared between tags: 0.05 is much for *sexy* and little for *rock*. So a
strength is the share of reference songs in which the same tag is weaker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from classifier.core.prediction import TrackTags

Group = Literal["style", "mood", "era", "voices_instruments"]
Strengths = dict[str, dict[str, float]]
"""Strength by group and tag, 0 to 1."""

GROUPS: Final[tuple[Group, ...]] = ("style", "mood", "era", "voices_instruments")
REFERENCE_FILE: Final = Path(__file__).parent / "tag_reference.json"
"""Written by ``python -m classifier.fitting.tag_reference``."""

NOTABLE: Final = 0.7
"""From this strength on a tag can be searched for: it is stronger than in seven of ten songs."""
OUTSTANDING: Final = 0.9
"""From this strength on a tag is worth a word on a track's page."""
DECIMALS: Final = 3


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the platform.

    Attributes
    ----------
    slug
        Its name in addresses and files.
    group
    sources
        The tagger's tags that it is made of, MTT's with the prefix ``mtt:``; their strengths are averaged.
    """

    slug: str
    group: Group
    sources: tuple[str, ...]


def _tags(group: Group, *names: str) -> tuple[Tag, ...]:
    """Tags with one source each, which has the same name but for spaces."""
    return tuple(Tag(name.removeprefix("mtt:").replace(" ", "-"), group, (name,)) for name in names)


_ALL: Final[tuple[Tag, ...]] = (
    *_tags("style", "rock", "pop", "alternative", "indie", "electronic", "dance", "alternative rock"),
    *_tags("style", "jazz", "metal", "classic rock", "soul", "indie rock", "electronica", "folk", "punk"),
    *_tags("style", "blues", "hard rock", "ambient", "experimental", "hip-hop", "country", "funk"),
    *_tags("style", "electro", "heavy metal", "progressive rock", "rnb", "indie pop", "house", "chillout"),
    *_tags("style", "mtt:classical", "mtt:opera", "mtt:techno", "mtt:new age"),
    *_tags("mood", "happy", "sad", "mellow", "chill", "party", "beautiful", "sexy", "easy listening"),
    *_tags("mood", "catchy", "mtt:slow", "mtt:fast", "mtt:loud", "mtt:quiet"),
    *_tags("era", "60s", "70s", "80s", "90s", "00s", "oldies"),
    Tag("female-voice", "voices_instruments", ("female vocalists", "female vocalist", "mtt:female vocal")),
    Tag("male-voice", "voices_instruments", ("male vocalists", "mtt:male vocal")),
    *_tags("voices_instruments", "instrumental", "acoustic", "guitar", "mtt:piano", "mtt:strings"),
    *_tags("voices_instruments", "mtt:violin", "mtt:cello", "mtt:flute", "mtt:harpsichord"),
    *_tags("voices_instruments", "mtt:drums", "mtt:synth", "mtt:choir"),
)
TAGS: Final[Mapping[str, Tag]] = {tag.slug: tag for tag in _ALL}
"""All of MSD's tags, and those of MTT's that MSD's lack, by slug; in the order in which they are listed."""

MOODS: Final = ("happy", "sad", "mellow", "chill", "party", "beautiful", "sexy", "easy-listening")
"""Moods that music is recommended for."""

_FAMILIES: Final = (
    {"rock", "classic-rock", "hard-rock", "progressive-rock", "alternative-rock", "indie-rock"},
    {"alternative", "alternative-rock", "indie-rock", "rock"},
    {"metal", "heavy-metal", "hard-rock", "punk"},
    {"electronic", "electronica", "electro", "techno", "house", "dance"},
    {"indie", "indie-rock", "indie-pop", "alternative"},
    {"soul", "rnb"},
    {"classical", "opera"},
    {"ambient", "chillout", "new-age"},
    {"chill", "mellow", "easy-listening", "slow"},
    {"happy", "catchy", "party"},
    {"60s", "70s", "80s", "90s", "00s", "oldies"},
    {"strings", "violin", "cello"},
)
"""Tags that say nearly the same: only the strongest of them is worth a word."""
_RARE: Final = frozenset({"harpsichord", "cello", "flute", "choir", "opera", "new-age"})
"""What few songs hold: a tenth of them would be too many."""
_OUTSTANDING_RARE: Final = 0.97
_MOST_OF_GROUP: Final[Mapping[str, int]] = {"style": 2, "mood": 2, "era": 1, "voices_instruments": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Outputs of the tagger for reference songs.

    Attributes
    ----------
    levels
        (n,) shares of songs, 0 to 1, ascending.
    quantiles
        By the tagger's tag: (n,) the output below which that share of songs lies.
    tagger
        `Tagger.version` of what tagged them.
    version
        Number of the table; part of `version_of`.
    """

    levels: NDArray[np.float64]
    quantiles: Mapping[str, NDArray[np.float64]]
    tagger: str
    version: int


@lru_cache(maxsize=1)
def reference() -> Reference:
    """Read the table that comes with the platform."""
    table = json.loads(REFERENCE_FILE.read_text(encoding="utf-8"))
    return Reference(
        levels=np.array(table["levels"], np.float64),
        quantiles={tag: np.array(values, np.float64) for tag, values in table["quantiles"].items()},
        tagger=str(table["tagger"]),
        version=int(table["version"]),
    )


def version_of(tags: TrackTags) -> str:
    """Name what the strengths of a track were made with: the tagger's weights and the table."""
    return f"{tags.version}-{reference().version}"


def calibrated(outputs: Mapping[str, float]) -> Strengths:
    """Compare the outputs for a track with those for reference songs.

    Parameters
    ----------
    outputs
        `TrackTags.strengths`: 0 to 1 by the tagger's tag. Tags of a network that was not asked may lack.

    Returns
    -------
    By group and tag, rounded to `DECIMALS`; a tag none of whose sources is there is left out.
    """
    table = reference()
    result: Strengths = {group: {} for group in GROUPS}
    for tag in TAGS.values():
        found = [
            float(np.interp(outputs[source], table.quantiles[source], table.levels))
            for source in tag.sources
            if source in outputs and source in table.quantiles
        ]
        if found:
            result[tag.group][tag.slug] = round(sum(found) / len(found), DECIMALS)
    return result


def in_order(strengths: Mapping[str, Mapping[str, float]]) -> Strengths:
    """Strengths in the order of `GROUPS` and `TAGS`, which JSON in a database does not keep."""
    return {
        group: {slug: strengths[group][slug] for slug in TAGS if slug in strengths[group]}
        for group in GROUPS
        if group in strengths
    }


def flattened(strengths: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Strengths by tag, without their groups; unknown tags are left out."""
    return {slug: value for tags in strengths.values() for slug, value in tags.items() if slug in TAGS}


def outstanding(strengths: Mapping[str, Mapping[str, float]]) -> dict[str, list[str]]:
    """Choose the few tags that describe a track best.

    Returns
    -------
    By group, the strongest first; groups without such a tag are left out. Of tags that say nearly the same
    only the strongest is given.
    """
    chosen: dict[str, list[str]] = {}
    for group in GROUPS:
        tags = strengths.get(group, {})
        ranked = sorted(
            (
                slug
                for slug, value in tags.items()
                if slug in TAGS and value >= (_OUTSTANDING_RARE if slug in _RARE else OUTSTANDING)
            ),
            key=lambda slug: (-tags[slug], slug),
        )
        taken: list[str] = []
        for slug in ranked:
            similar = any(slug in family and family.intersection(taken) for family in _FAMILIES)
            if not similar and len(taken) < _MOST_OF_GROUP[group]:
                taken.append(slug)
        if taken:
            chosen[group] = taken
    return chosen
