"""Evaluation protocols: divide a set of clips into parts for fitting and for testing.

There are four, from strict to leaky. The protocol affects the accuracy more than the method does: the same
network scores much higher on pieces of recordings that it was fitted on than on artists that it was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.dataset import Clip, LogMelDataset

IntArray = NDArray[np.intp]

TRACK_FOLDS = 10
ARTIST_FOLDS = 5
SEGMENTS_PER_CLIP = 10
SEGMENT_PARTS = (0.8, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Piece:
    """Columns `start` to `stop` of a clip, classified as one; to the end if `stop` is None."""

    clip: int
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold, as indices into the split's pieces. `valid` is empty if the protocol has no such part."""

    train: IntArray
    valid: IntArray
    test: IntArray


@dataclass(frozen=True, slots=True)
class Split:
    """A protocol applied to a set.

    Attributes
    ----------
    protocol
        Its name.
    pieces
        The pieces to classify.
    folds
        With disjoint test parts; in a cross-validation every piece is in one of them.
    """

    protocol: str
    pieces: Sequence[Piece]
    folds: Sequence[Fold]

    @property
    def whole_clips(self) -> bool:
        """Whether every piece is a clip from its first column to its last."""
        return all(piece.stop is None for piece in self.pieces)


def filtered(dataset: LogMelDataset, *, seed: int = 0) -> Split:
    """The artist-disjoint, fault-filtered partition of Kereliuk, Sturm and Larsen (2015); ignores `seed`."""
    places = _places(len(dataset.clips))
    train, valid, test = (places[dataset.part(name)] for name in ("train", "valid", "test"))
    return Split("filtered", _whole(dataset), [Fold(train, valid, test)])


def track(dataset: LogMelDataset, *, seed: int = 0) -> Split:
    """Ten folds stratified by genre; clips of one recording stay together, those of one artist need not."""
    groups = _groups(dataset.clips, by_artist=False)
    places = _places(len(dataset.clips))
    return Split("track", _whole(dataset), _cross(dataset, places, groups, TRACK_FOLDS, seed))


def artist(dataset: LogMelDataset, *, seed: int = 0) -> Split:
    """Five folds that share no artist and no recording, stratified by genre as far as artists allow.

    A clip whose artist is unknown is left out of every part, unless a clip with a known artist contains the
    same recording.
    """
    groups = _groups(dataset.clips, by_artist=True)
    known = {groups[i] for i, clip in enumerate(dataset.clips) if clip.artist}
    places = np.array([i for i, group in enumerate(groups) if group in known], dtype=np.intp)
    return Split("artist", _whole(dataset), _cross(dataset, places, groups, ARTIST_FOLDS, seed))


def by_artist(dataset: LogMelDataset, clips: Sequence[int], n_folds: int, *, seed: int = 0) -> list[Fold]:
    """Divide some clips into folds that share no artist or recording; unknown artists are all different.

    Returns
    -------
    Folds of indices into the data set, without a validation part.
    """
    places = np.asarray(clips, dtype=np.intp)
    return _cross(dataset, places, _groups(dataset.clips, by_artist=True), n_folds, seed)


def segment(dataset: LogMelDataset, *, seed: int = 0) -> Split:
    """Shuffled three-second segments, 80/10/10, stratified by genre: LEAKY, as in most published demos.

    Nearly every test segment has neighbours of the same recording in the training part. So this measures how
    well a method recognises recordings that it was fitted on, not genres.
    """
    columns = dataset.levels.shape[2]
    length = columns // SEGMENTS_PER_CLIP
    pieces = [
        Piece(clip, int(start), int(start) + length)
        for clip in range(len(dataset.clips))
        for start in np.arange(SEGMENTS_PER_CLIP) * columns // SEGMENTS_PER_CLIP
    ]
    genres = np.array([dataset.labels.index(dataset.clips[piece.clip].genre) for piece in pieces])
    rng = np.random.default_rng(seed)
    parts: list[list[IntArray]] = [[], [], []]
    bounds = np.cumsum(SEGMENT_PARTS)[:-1]
    for genre in range(len(dataset.labels)):
        shuffled = rng.permutation(np.flatnonzero(genres == genre))
        for part, rows in zip(
            parts, np.split(shuffled, np.round(bounds * len(shuffled)).astype(int)), strict=True
        ):
            part.append(rows)
    train, valid, test = (rng.permutation(np.concatenate(part)).astype(np.intp) for part in parts)
    return Split("segment", pieces, [Fold(train, valid, test)])


PROTOCOLS: Final[Mapping[str, Callable[..., Split]]] = {
    "filtered": filtered,
    "artist": artist,
    "track": track,
    "segment": segment,
}
"""By name, from the strictest to the leaky one; each takes a data set and a `seed`."""


def _places(count: int) -> IntArray:
    return np.arange(count, dtype=np.intp)


def _whole(dataset: LogMelDataset) -> list[Piece]:
    return [Piece(clip) for clip in range(len(dataset.clips))]


@dataclass(slots=True)
class _Union:
    """Disjoint-set forest (Tarjan, 1975)."""

    parent: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def find(self, key: tuple[str, str]) -> tuple[str, str]:
        self.parent.setdefault(key, key)
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        self.parent[self.find(one)] = self.find(other)


def _groups(clips: Sequence[Clip], *, by_artist: bool) -> list[tuple[str, str]]:
    """Group of each clip, shared by clips of one recording and, if `by_artist`, of one artist."""
    union = _Union()
    for clip in clips:
        own = ("clip", clip.name)
        union.find(own)
        if clip.repetition_group:
            union.join(own, ("recording", clip.repetition_group))
        if by_artist and clip.artist:
            union.join(own, ("artist", clip.artist))
    return [union.find(("clip", clip.name)) for clip in clips]


def _cross(
    dataset: LogMelDataset, places: IntArray, groups: Sequence[tuple[str, str]], n_folds: int, seed: int
) -> list[Fold]:
    """Folds of whole groups with as equal shares of every genre as the groups allow.

    Greedy, the largest groups first, each to the fold that it balances best, as scikit-learn's
    `StratifiedGroupKFold` does; implemented here so that folds do not change with its version.
    """
    counts: dict[tuple[str, str], NDArray[np.float64]] = {}
    for place in places:
        row = counts.setdefault(groups[place], np.zeros(len(dataset.labels)))
        row[dataset.labels.index(dataset.clips[place].genre)] += 1
    totals = np.maximum(sum(counts.values(), start=np.zeros(len(dataset.labels))), 1)
    names = list(counts)
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    shuffled.sort(key=lambda name: -float(counts[name].sum()))
    held = np.zeros((n_folds, len(dataset.labels)))
    fold_of: dict[tuple[str, str], int] = {}
    for name in shuffled:
        # The increase of the sum of squared shares, which is least for equal shares.
        cost = ((2 * held + counts[name]) * counts[name] / totals**2).sum(axis=1)
        tied = np.flatnonzero(np.isclose(cost, cost.min()))
        chosen = int(tied[held[tied].sum(axis=1).argmin()])
        held[chosen] += counts[name]
        fold_of[name] = chosen
    fold = np.array([fold_of[groups[place]] for place in places])
    nothing = np.zeros(0, dtype=np.intp)
    return [Fold(places[fold != k], nothing, places[fold == k]) for k in range(n_folds)]
