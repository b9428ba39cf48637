"""The clips that shipped versions were tested on and fitted on, known by their fingerprints.

The 290 test clips of the filtered split are what no version may ever be trained on; the 639 clips of its
train and validation parts are what shipped versions replay. The shipped files hold figures computed from
them, one word of `classifier.core.fingerprint` per column, and nothing that could be listened to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.core import fingerprint
from classifier.core.dataset import LogMelDataset, Part
from classifier.core.fingerprint import Match, Query, Words

_RELEASES = Path(__file__).resolve().parent / "releases"
PATH = _RELEASES / "test_clips.npz"
FITTED_PATH = _RELEASES / "fitted_clips.npz"
_MOST_CANDIDATES = 20


@dataclass(frozen=True, eq=False)
class FingerprintIndex:
    """Fingerprints of a fixed set of clips, and the index they are looked up in.

    Attributes
    ----------
    names, labels
        One per clip; labels may be left out altogether.
    words
        All words of all clips, one clip after another.
    starts
        (n + 1,) where each clip's words begin, and the end.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    words: Words
    starts: NDArray[np.intp]
    _order: NDArray[np.intp]

    @classmethod
    def of(cls, names: tuple[str, ...], words: list[Words], labels: tuple[str, ...] = ()) -> FingerprintIndex:
        together = np.concatenate(words)
        starts = np.concatenate([[0], np.cumsum([each.size for each in words])]).astype(np.intp)
        return cls(names, labels, together, starts, np.argsort(together, kind="stable"))

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
            return cls.of(tuple(archive["names"].tolist()), parts, tuple(archive["labels"].tolist()))

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            version=np.asarray(fingerprint.VERSION),
            names=np.asarray(self.names),
            labels=np.asarray(self.labels, dtype=np.str_),
            words=self.words,
            starts=self.starts,
        )

    @cached_property
    def label_of(self) -> dict[str, str]:
        """Give the label of each clip by its name."""
        return dict(zip(self.names, self.labels, strict=bool(self.labels)))

    @cached_property
    def _by_word(self) -> Words:
        return self.words[self._order]

    def find(self, query: Query) -> tuple[str, Match] | None:
        """Give the clip that holds the same recording, the surest if there are several, or None."""
        by_word = self._by_word
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


def index_of(dataset: LogMelDataset, *parts: Part) -> FingerprintIndex:
    """Fingerprint parts of the filtered split."""
    rows = [row for part in parts for row in dataset.part(part)]
    clips = [dataset.clips[row] for row in rows]
    return FingerprintIndex.of(
        tuple(clip.name for clip in clips),
        [fingerprint.from_columns(dataset.db(row)).stored for row in rows],
        tuple(clip.genre for clip in clips),
    )


@cache
def shipped() -> FingerprintIndex:
    """Give the test clips, read once per process."""
    return FingerprintIndex.load()


@cache
def fitted() -> FingerprintIndex:
    """Give the clips that shipped versions were fitted on, read once per process."""
    return FingerprintIndex.load(FITTED_PATH)


def name_of(query: Query) -> str:
    """Give the name under which shipped versions know a recording; empty where they do not know it."""
    found = shipped().find(query) or fitted().find(query)
    return found[0] if found else ""
