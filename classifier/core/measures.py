"""How sure an estimated tempo or key is, by how clear it is, as measured on clips with known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["sure", "fair", "doubtful"]


@dataclass(frozen=True, slots=True)
class Sureness:
    """A level, and the share of clips this clear whose estimate was right."""

    level: Level
    share: float


# The least clarity of each level, and the share that was right.
#
# Keys: exactly the one that Kraft and Lerch noted, of the GTZAN clips that have sound, one key and no part in
# the filtered test set, one per repetition: 62 of the first level, 89 and 79.
_KEYS: Final = (
    (0.15, Sureness("sure", 0.85)),
    (0.06, Sureness("fair", 0.55)),
    (0.0, Sureness("doubtful", 0.41)),
)
# Tempi: within 4 % of the tempo of librosa's method (the table of 57 features), its half or its double, as no
# tempo of GTZAN that people tapped is at hand: 145, 124 and 49 clips of the same kind.
_TEMPI: Final = (
    (0.4, Sureness("sure", 0.97)),
    (0.15, Sureness("fair", 0.90)),
    (0.0, Sureness("doubtful", 0.43)),
)


def key_sureness(clarity: float | None) -> Sureness | None:
    """How sure a key of that clarity (`classifier.core.keys.clear_key_of`) is; None where it is not known."""
    return _of(_KEYS, clarity)


def tempo_sureness(clarity: float | None) -> Sureness | None:
    """How sure a tempo of that clarity (`classifier.core.tempo.tempo_of`) is; None where it is not known."""
    return _of(_TEMPI, clarity)


def _of(levels: tuple[tuple[float, Sureness], ...], clarity: float | None) -> Sureness | None:
    if clarity is None:
        return None
    return next((sure for least, sure in levels if clarity >= least), levels[-1][1])
