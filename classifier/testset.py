"""The fingerprints of the frozen test set: what no version may ever be trained on, found in any guise.

The shipped file holds figures computed from the 290 test clips of the filtered split, one word of
`classifier.core.fingerprint` per column, and nothing that could be listened to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.core import fingerprint
from classifier.core.dataset import LogMelDataset
from classifier.core.fingerprint import Match, Query, Words

PATH = Path(__file__).resolve().parent / "releases" / "frozen_prints.npz"
_MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True, eq=False)
class FingerprintIndex:
    """Fingerprints of a fixed set of clips, and the index they are looked up in.

    Attributes
    ----------
    names
        One per clip.
    words
        All words of all clips, one clip after another.
    starts
        (n + 1,) where each clip's words begin, and the end.
    """

    names: tuple[str, ...]
    words: Words
    starts: NDArray[np.intp]
    _order: NDArray[np.intp]

    @classmethod
    def of(cls, names: tuple[str, ...], words: list[Words]) -> FingerprintIndex:
        together = np.concatenate(words)
        starts = np.concatenate([[0], np.cumsum([each.size for each in words])]).astype(np.intp)
        return cls(names, together, starts, np.argsort(together, kind="stable"))

    @classmethod
    def load(cls, path: Path = PATH) -> FingerprintIndex:
        """Read a file that `save` wrote.

        Raises
        ------
        ValueError
            It was made by another version of the fingerprint.
        """
        with np.load(path, allow_pickle=False) as archive:
            if int(archive["version"]) != fingerprint.VERSION:
                raise ValueError(
                    f"{path.name} holds fingerprints of version {int(archive['version'])}; this program "
                    f"makes {fingerprint.VERSION}. Run: manage.py fingerprint_test_set"
                )
            words, starts = archive["words"], archive["starts"]
            parts = [words[a:b] for a, b in pairwise(starts.tolist())]
            return cls.of(tuple(archive["names"].tolist()), parts)

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            version=np.asarray(fingerprint.VERSION),
            names=np.asarray(self.names),
            words=self.words,
            starts=self.starts,
        )

    def find(self, query: Query) -> tuple[str, Match] | None:
        """Give the clip that holds the same recording, the surest if there are several, or None."""
        by_word = self.words[self._order]
        first = np.searchsorted(by_word, query.keys, "left")
        last = np.searchsorted(by_word, query.keys, "right")
        places = [self._order[a:b] for a, b in zip(first, last, strict=True) if b > a]
        if not places:
            return None
        clips = np.searchsorted(self.starts, np.concatenate(places), "right") - 1
        hits = np.bincount(clips, minlength=len(self.names))
        best: tuple[str, Match] | None = None
        for clip in np.argsort(-hits, kind="stable")[:_MOST_CANDIDATES]:
            if hits[clip] == 0:
                break
            words = self.words[self.starts[clip] : self.starts[clip + 1]]
            match = fingerprint.best_match(query, words)
            if match.same and (best is None or match.evidence > best[1].evidence):
                best = self.names[clip], match
        return best


def of_test_part(dataset: LogMelDataset) -> FingerprintIndex:
    """Fingerprint the test part of the filtered split."""
    rows = dataset.part("test")
    names = tuple(dataset.clips[row].name for row in rows)
    return FingerprintIndex.of(names, [fingerprint.from_columns(dataset.db(row)).stored for row in rows])


@cache
def shipped() -> FingerprintIndex:
    """Give the shipped fingerprints, read once per process."""
    return FingerprintIndex.load()
