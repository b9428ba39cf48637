"""The promotion gate: compare a candidate with the version in service on the same clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SIGNIFICANT = 0.05
MOST_LOST = 0.10
"""Largest fall of a genre's recall with which the gate still passes a candidate."""
FEW = 20
"""With fewer clips of a genre than this, one clip moves its recall by five points or more."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """A version's prediction for one clip: a label and its confidence from 0 to 1."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class VersionPredictions:
    """The predictions of one version for a set of clips.

    Attributes
    ----------
    labels
        The genres that it can predict.
    verdicts
        By clip.
    """

    labels: Sequence[str]
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Paired:
    """Counts of two versions' correct predictions on the same clips.

    Attributes
    ----------
    n
        Clips.
    right_before, right_after
        Clips that the champion and the candidate predict correctly.
    better, worse
        Clips that only the candidate, and only the champion, predicts correctly.
    p
        Two-sided p-value of McNemar's exact test: the probability of a difference at least as large if both
        were equally good.
    """

    n: int
    right_before: int
    right_after: int
    better: int
    worse: int
    p: float

    @property
    def is_chance(self) -> bool:
        """Whether the difference is not significant."""
        return self.p >= SIGNIFICANT

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is significantly worse."""
        return self.right_after < self.right_before and not self.is_chance


@dataclass(frozen=True, slots=True)
class GenreChange:
    """One genre under both versions; shares are from 0 to 1.

    Attributes
    ----------
    n
        Its clips; with few of them the shares are imprecise.
    before
        Recall of the champion, or None if it cannot predict the genre.
    after
        Recall of the candidate, or None if it cannot predict the genre.
    """

    label: str
    n: int
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """Rise of the recall; a genre that is no longer known has recall 0."""
        return None if self.before is None else (self.after or 0.0) - self.before

    @property
    def is_few(self) -> bool:
        return self.n < FEW

    @property
    def is_lost(self) -> bool:
        """Whether the recall fell by more than the gate allows."""
        return self.change is not None and self.change < -MOST_LOST - _ROUNDING


@dataclass(frozen=True, slots=True)
class ChangedClip:
    """A clip for which the two versions predict different labels."""

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
    """One reason for which the gate refuses a candidate.

    Attributes
    ----------
    code
        ``not_measured``: there is no clip with predictions of both. ``worse``: significantly fewer correct.
        ``genre_lost``: recall of a genre fell by more than `MOST_LOST`. ``genre_gone``: a genre is no longer
        among the labels.
    genre
        For the last two codes.
    """

    code: Literal["not_measured", "worse", "genre_lost", "genre_gone"]
    genre: GenreChange | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of a candidate with the champion.

    Attributes
    ----------
    paired
        On the common clips: those of genres that the champion can predict.
    genres
        Of the common clips, in the champion's order; those without clips are left out.
    new_genres
        Genres that only the candidate can predict, measured on their own clips.
    changed
        Clips whose prediction changed: lost ones first, then won ones, then the others.
    refusals
        Why the gate refuses the candidate; empty if it does not.
    """

    paired: Paired
    genres: list[GenreChange]
    new_genres: list[GenreChange]
    changed: list[ChangedClip]
    refusals: list[Refusal]

    @property
    def is_open(self) -> bool:
        """Whether the gate accepts the candidate."""
        return not self.refusals


def mcnemar(*, better: int, worse: int) -> float:
    """Two-sided p-value of the exact McNemar test.

    Only clips on which the two versions differ count. If both are equally good, each of these is won with
    probability one half, so the counts are binomial (McNemar, Psychometrika 12, 1947, in the exact form;
    Dietterich, Neural Computation 10, 1998, recommends the test for two classifiers and one test set).

    Parameters
    ----------
    better, worse
        Clips that only the one, and only the other, predicts correctly; 0 or more.

    Raises
    ------
    ValueError
        If a count is negative.
    """
    if min(better, worse) < 0:
        raise ValueError(f"counts must not be negative: {better}, {worse}")
    n = better + worse
    # C(n, 0) + C(n, 1) + ..., each made of the one before it: of thousands of clips, each anew takes seconds.
    binomial = tail = 1
    for k in range(min(better, worse)):
        binomial = binomial * (n - k) // (k + 1)
        tail += binomial
    # Python's integers are exact, so that only the quotient is rounded.
    p: float = 2 * tail / 2**n
    return min(1.0, p)


def compare(
    champion: VersionPredictions, candidate: VersionPredictions, truths: Mapping[str, str]
) -> Comparison:
    """Compare a candidate with the champion on the clips for which both have predictions.

    If their labels differ, the two are compared on the clips of genres that the champion can predict, and the
    new genres are measured separately. A genre that the candidate can no longer predict is lost.

    Parameters
    ----------
    truths
        The true label of each clip. Clips without one are left out.
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


def _recall(predictions: VersionPredictions, names: Sequence[str], label: str) -> float | None:
    if not names:
        return None
    return sum(predictions.verdicts[name].label == label for name in names) / len(names)


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
