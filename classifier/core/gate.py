"""Whether a new version is better than the one in service, on the very same clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

SIGNIFICANT = 0.05
MOST_LOST = 0.10
"""A genre may lose this much of its recall before the gate closes."""
FEW = 20
"""With fewer clips of a genre than this, one clip moves its recall by five points or more."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a version said about one clip: a label, and how sure it was from 0 to 1."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class VersionPredictions:
    """A version and what it said about clips.

    Attributes
    ----------
    labels
        The genres it can name.
    verdicts
        By clip.
    """

    labels: Sequence[str]
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Paired:
    """Two versions on the same clips, counted.

    Attributes
    ----------
    n
        Clips.
    right_before, right_after
        Clips that the champion and the candidate named rightly.
    better, worse
        Clips that only the candidate, and only the champion, named rightly.
    p
        Two-sided p-value of McNemar's exact test: how often a difference at least as large would come about
        if both were equally good.
    """

    n: int
    right_before: int
    right_after: int
    better: int
    worse: int
    p: float

    @property
    def is_chance(self) -> bool:
        """Whether the difference could well be chance."""
        return self.p >= SIGNIFICANT

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is worse, and that is no chance."""
        return self.right_after < self.right_before and not self.is_chance


@dataclass(frozen=True, slots=True)
class GenreChange:
    """One genre under both versions; shares are from 0 to 1.

    Attributes
    ----------
    n
        Its clips; with few of them the shares say little.
    before
        Recall of the champion, or None where it cannot name the genre.
    after
        Recall of the candidate, or None where it cannot name the genre.
    """

    label: str
    n: int
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """By how much the recall rose; a genre that is no longer known counts as never found."""
        return None if self.before is None else (self.after or 0.0) - self.before

    @property
    def is_few(self) -> bool:
        return self.n < FEW

    @property
    def is_lost(self) -> bool:
        """Whether it lost more than the gate lets pass."""
        return self.change is not None and self.change < -MOST_LOST - _ROUNDING


@dataclass(frozen=True, slots=True)
class ChangedClip:
    """A clip about which the two say different things, or about which one of them alone is right."""

    name: str
    truth: str
    before: Verdict
    after: Verdict

    @property
    def kind(self) -> Literal["better", "worse", "other"]:
        if self.after.label == self.truth:
            return "better"
        return "worse" if self.before.label == self.truth else "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason of the gate.

    Attributes
    ----------
    code
        ``not_measured``: no clip was heard by both. ``worse``: fewer right, and that is no chance.
        ``genre_lost``: a genre lost more than `MOST_LOST`. ``genre_gone``: it cannot be named any more.
    genre
        Of the last two.
    """

    code: Literal["not_measured", "worse", "genre_lost", "genre_gone"]
    genre: GenreChange | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the champion.

    Attributes
    ----------
    paired
        On the common ground: clips of genres that the champion can name.
    genres
        Of the common ground, in the champion's order; those without clips are left out.
    new_genres
        What only the candidate can name, judged on its own clips.
    changed
        Clips that changed verdict: lost ones first, then won ones, then the others.
    refusals
        Why the gate is closed; empty where it is open.
    """

    paired: Paired
    genres: list[GenreChange]
    new_genres: list[GenreChange]
    changed: list[ChangedClip]
    refusals: list[Refusal]

    @property
    def is_open(self) -> bool:
        """Whether the gate lets the candidate pass."""
        return not self.refusals


def mcnemar(*, better: int, worse: int) -> float:
    """Two-sided p-value of the exact McNemar test.

    Only clips on which the two versions differ say anything. If both are equally good, each of these is won
    with probability one half, so the smaller count is binomial (McNemar, Psychometrika 12, 1947, in the exact
    form; Dietterich, Neural Computation 10, 1998, recommends the test for two classifiers and one test set).

    Parameters
    ----------
    better, worse
        Clips that only the one, and only the other, named rightly; 0 or more.

    Raises
    ------
    ValueError
        A count is negative.
    """
    if min(better, worse) < 0:
        raise ValueError(f"counts must not be negative: {better}, {worse}")
    n = better + worse
    tail: int = sum(comb(n, k) for k in range(min(better, worse) + 1))
    # Whole numbers to the end: no count is too large, and nothing is rounded but the quotient.
    p: float = 2 * tail / 2**n
    return min(1.0, p)


def compare(
    champion: VersionPredictions, candidate: VersionPredictions, truths: Mapping[str, str]
) -> Comparison:
    """Hold a candidate against the champion on the clips that both have heard.

    Where the labels differ, the two are judged on common ground, the clips of genres that the champion can
    name, and on the new genres separately: that the champion cannot name them is no fault of it. A genre that
    the candidate cannot name any more is lost.

    Parameters
    ----------
    truths
        The right label of each clip. Clips without one take no part.
    """
    ground = [
        name
        for name, truth in truths.items()
        if truth in champion.labels and name in champion.verdicts and name in candidate.verdicts
    ]
    paired = _paired(
        [champion.verdicts[name].label == truths[name] for name in ground],
        [candidate.verdicts[name].label == truths[name] for name in ground],
    )
    genres = [
        GenreChange(
            label=label,
            n=len(names),
            before=_recall(champion, names, label),
            after=_recall(candidate, names, label) if label in candidate.labels else None,
        )
        for label in champion.labels
        if (names := [name for name in ground if truths[name] == label])
    ]
    new_genres = [
        GenreChange(label=label, n=len(names), before=None, after=_recall(candidate, names, label))
        for label in candidate.labels
        if label not in champion.labels
        for names in [[n for n, truth in truths.items() if truth == label and n in candidate.verdicts]]
    ]
    return Comparison(
        paired=paired,
        genres=genres,
        new_genres=new_genres,
        changed=_changed(champion, candidate, truths),
        refusals=_refusals(paired, genres, gone=[x for x in champion.labels if x not in candidate.labels]),
    )


def _paired(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    better = sum(b < a for b, a in zip(before, after, strict=True))
    worse = sum(b > a for b, a in zip(before, after, strict=True))
    return Paired(
        n=len(before),
        right_before=sum(before),
        right_after=sum(after),
        better=better,
        worse=worse,
        p=mcnemar(better=better, worse=worse),
    )


def _recall(judged: VersionPredictions, names: Sequence[str], label: str) -> float | None:
    if not names:
        return None
    return sum(judged.verdicts[name].label == label for name in names) / len(names)


def _changed(
    champion: VersionPredictions, candidate: VersionPredictions, truths: Mapping[str, str]
) -> list[ChangedClip]:
    changed = [
        ChangedClip(name, truths[name], champion.verdicts[name], candidate.verdicts[name])
        for name in sorted(truths)
        if name in champion.verdicts
        and name in candidate.verdicts
        and champion.verdicts[name].label != candidate.verdicts[name].label
    ]
    order = {"worse": 0, "better": 1, "other": 2}
    return sorted(changed, key=lambda clip: (order[clip.kind], clip.truth, clip.name))


def _refusals(paired: Paired, genres: Iterable[GenreChange], *, gone: Sequence[str]) -> list[Refusal]:
    refusals = []
    if not paired.n:
        refusals.append(Refusal("not_measured"))
    if paired.is_worse:
        refusals.append(Refusal("worse"))
    known = {genre.label: genre for genre in genres}
    refusals += [
        Refusal("genre_gone", known.get(label, GenreChange(label, 0, before=0.0, after=None)))
        for label in gone
    ]
    refusals += [
        Refusal("genre_lost", genre) for genre in known.values() if genre.is_lost and genre.label not in gone
    ]
    return refusals
