"""Titles and names of artists that nobody has, with frequent and rare words as in a real catalogue."""

from __future__ import annotations

from typing import Final

import numpy as np

_ONSETS: Final = (
    "b",
    "br",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "v",
    "w",
)
_VOWELS: Final = ("a", "e", "i", "o", "u", "ea", "oo")
_CODAS: Final = ("", "", "l", "n", "r", "s", "nd", "st", "ck")
_HANGUL_FIRST, _HANGUL_COUNT = 0xAC00, 11_172
_VOCABULARY: Final = 20_000
_EXPONENT: Final = 1.3
"""Of Zipf's law, by which words are chosen: the most frequent is in about a quarter of the titles."""
_KOREAN_SHARE: Final = 0.05


class Words:
    """Makes titles and artists; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self._latin = [_latin(rng) for _ in range(_VOCABULARY)]
        self._korean = [_korean(rng) for _ in range(_VOCABULARY // 10)]

    def titles(self, count: int, rng: np.random.Generator) -> list[str]:
        """Make `count` titles of one to four words."""
        lengths = rng.integers(1, 5, count)
        korean = rng.random(count) < _KOREAN_SHARE
        return [
            " ".join(self._word(rng, korean=bool(is_korean)) for _ in range(length)).capitalize()
            for length, is_korean in zip(lengths, korean, strict=True)
        ]

    def artist(self, number: int) -> str:
        """Name the artist of a number."""
        first, second = self._latin[number % len(self._latin)], self._latin[number * 7919 % len(self._latin)]
        return f"{first} {second}".title()

    def _word(self, rng: np.random.Generator, *, korean: bool) -> str:
        words = self._korean if korean else self._latin
        return words[min(int(rng.zipf(_EXPONENT)), len(words)) - 1]


def _latin(rng: np.random.Generator) -> str:
    return "".join(
        str(rng.choice(_ONSETS)) + str(rng.choice(_VOWELS)) + str(rng.choice(_CODAS))
        for _ in range(int(rng.integers(1, 4)))
    )


def _korean(rng: np.random.Generator) -> str:
    return "".join(
        chr(_HANGUL_FIRST + int(rng.integers(_HANGUL_COUNT))) for _ in range(int(rng.integers(1, 4)))
    )
