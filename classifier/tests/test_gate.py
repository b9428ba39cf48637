"""Paired comparison, on counts whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from classifier.core.gate import Comparison, Verdict, VersionPredictions, compare, mcnemar

AB = ("a", "b")


def predictions(labels: Sequence[str], said: dict[str, str]) -> VersionPredictions:
    return VersionPredictions(labels, {name: Verdict(label, 0.9) for name, label in said.items()})


def clips(label: str, n: int, *, start: int = 0) -> list[str]:
    return [f"{label}.{number:05}" for number in range(start, start + n)]


def truths(*names: Sequence[str]) -> dict[str, str]:
    return {name: name.partition(".")[0] for group in names for name in group}


def said(truth: dict[str, str], *, wrong: Sequence[str] = ()) -> dict[str, str]:
    other = {"a": "b", "b": "a", "c": "a"}
    return {name: other[label] if name in wrong else label for name, label in truth.items()}


def of_two(better: int, worse: int, both: int = 40) -> Comparison:
    """Compare on clips of "a": so many only the candidate finds, so many only the champion, others both."""
    truth = truths(clips("a", better + worse + both))
    names = list(truth)
    before = predictions(AB, said(truth, wrong=names[:better]))
    after = predictions(AB, said(truth, wrong=names[better : better + worse]))
    return compare(before, after, truth)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (5, 0), (6, 0), (31, 12), (12, 31), (20, 20)])
def test_mcnemar_is_the_exact_binomial_test(better: int, worse: int) -> None:
    # Whoever only collects the tests does not wait for it.
    from scipy.stats import binomtest

    n = better + worse
    expected = binomtest(better, n).pvalue if n else 1.0
    assert mcnemar(better=better, worse=worse) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_textbook_counts() -> None:
    # Seven and one of the 64 ways in which six coins fall, counted from both ends.
    assert mcnemar(better=5, worse=1) == 0.21875
    assert mcnemar(better=0, worse=6) == 0.03125
    assert mcnemar(better=31, worse=12) == pytest.approx(0.0054016, abs=1e-7)


def test_mcnemar_holds_for_counts_whose_powers_no_float_holds() -> None:
    assert mcnemar(better=3000, worse=3000) == 1.0
    assert 0 < mcnemar(better=3100, worse=2900) < 0.02
    with pytest.raises(ValueError, match="negative"):
        mcnemar(better=-1, worse=3)


def test_a_candidate_that_is_better_passes() -> None:
    result = of_two(31, 12)
    assert (result.paired.better, result.paired.worse, result.paired.n) == (31, 12, 83)
    assert (result.paired.right_before, result.paired.right_after) == (52, 71)
    assert not result.paired.is_chance
    assert result.is_open
    assert [clip.kind for clip in result.changed] == ["worse"] * 12 + ["better"] * 31


def test_a_candidate_that_is_worse_by_more_than_chance_is_refused() -> None:
    # Ten points of the only genre at most, so that this is the only reason.
    result = of_two(0, 6, both=100)
    assert result.paired.p < 0.05
    assert [refusal.code for refusal in result.refusals] == ["worse"]
    assert of_two(0, 5, both=100).is_open  # p = 0.0625
    assert of_two(6, 0, both=100).is_open


def test_a_genre_may_lose_ten_points_and_no_more() -> None:
    truth = truths(clips("a", 30), clips("b", 30))
    before = predictions(AB, said(truth))
    won = clips("a", 6)
    ten = compare(
        predictions(AB, said(truth, wrong=won)), predictions(AB, said(truth, wrong=clips("b", 3))), truth
    )
    assert ten.is_open
    assert ten.genres[1].change == pytest.approx(-0.1)
    eleven = compare(
        predictions(AB, said(truth, wrong=won)), predictions(AB, said(truth, wrong=clips("b", 4))), truth
    )
    assert eleven.paired.right_after > eleven.paired.right_before
    assert [(refusal.code, refusal.genre.label) for refusal in eleven.refusals if refusal.genre] == [
        ("genre_lost", "b")
    ]
    assert not eleven.refusals[0].genre.is_few  # type: ignore[union-attr]  # seen above
    assert compare(before, before, truth).is_open


def test_few_clips_of_a_genre_are_said_to_be_few() -> None:
    truth = truths(clips("a", 30), clips("b", 3))
    result = compare(predictions(AB, said(truth)), predictions(AB, said(truth, wrong=clips("b", 1))), truth)
    (refusal,) = result.refusals
    assert refusal.genre is not None
    assert (refusal.code, refusal.genre.n, refusal.genre.is_few) == ("genre_lost", 3, True)


def test_a_new_genre_is_measured_separately() -> None:
    truth = truths(clips("a", 30), clips("c", 20))
    before = predictions(AB, dict.fromkeys(truth, "a"))
    after = predictions(("a", "b", "c"), said(truth, wrong=clips("c", 5)))
    result = compare(before, after, truth)
    # That the champion misses what it cannot name is not counted against it.
    assert (result.paired.n, result.paired.better, result.paired.worse) == (30, 0, 0)
    assert [genre.label for genre in result.genres] == ["a"]
    (new,) = result.new_genres
    assert (new.label, new.n, new.before, new.after, new.change) == ("c", 20, None, 0.75, None)
    assert result.is_open
    # An old clip that is now taken for the new genre is wrong.
    stolen = {**after.verdicts, **{name: Verdict("c", 0.9) for name in clips("a", 10)}}
    assert [r.code for r in compare(before, VersionPredictions(("a", "b", "c"), stolen), truth).refusals] == [
        "worse",
        "genre_lost",
    ]


def test_a_new_genre_without_clips_says_so() -> None:
    truth = truths(clips("a", 30))
    result = compare(predictions(AB, said(truth)), predictions(("a", "b", "c"), said(truth)), truth)
    assert [(genre.n, genre.after) for genre in result.new_genres] == [(0, None)]


def test_a_genre_that_is_no_longer_known_is_lost() -> None:
    truth = truths(clips("a", 30), clips("b", 4))
    result = compare(predictions(AB, said(truth)), predictions(("a",), dict.fromkeys(truth, "a")), truth)
    assert [refusal.code for refusal in result.refusals] == ["genre_gone"]
    assert result.genres[1].after is None
    assert result.genres[1].change == -1.0


def test_without_common_clips_the_gate_is_closed() -> None:
    truth = truths(clips("a", 3), clips("a", 3, start=10))
    before = predictions(AB, said(truths(clips("a", 3))))
    after = predictions(AB, said(truths(clips("a", 3, start=10))))
    result = compare(before, after, truth)
    assert (result.paired.n, result.paired.p) == (0, 1.0)
    assert [refusal.code for refusal in result.refusals] == ["not_measured"]
