"""Whole percentages and stretches of one genre."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.models import Genre
from library.models import Analysis
from library.services.reasons import nearness
from library.templatetags.sound import percent
from library.views.verdict import stretches, ticks_of, whole_percents


def genre_of(slug: str) -> Genre:
    return Genre(slug=slug, name=slug.capitalize(), colour="#000000")


def test_percentages_sum_to_100_and_stay_beside_the_truth() -> None:
    rng = np.random.default_rng(7)
    for concentration in (0.05, 0.3, 1.0, 50.0):
        for shares in rng.dirichlet([concentration] * 10, size=500):
            probabilities = {f"g{place}": float(share) for place, share in enumerate(shares)}
            percents = whole_percents(probabilities)
            assert sum(percents.values()) == 100
            for label, share in probabilities.items():
                assert abs(percents[label] - 100 * share) <= 1
            # The headline says the same as every list of the site.
            best = max(probabilities, key=lambda label: probabilities[label])
            assert percent(probabilities[best]) == f"{percents[best]}\u202f%"


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"a": 1.0, "b": 0.0}, {"a": 100, "b": 0}),
        ({"a": 0.9999, "b": 0.0001}, {"a": 99, "b": 1}),
        ({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, {"a": 33, "b": 34, "c": 33}),
        (dict.fromkeys("abcdefghij", 0.1), dict.fromkeys("abcdefghij", 10)),
        ({}, {}),
    ],
)
def test_percentages_of_plain_cases(shares: dict[str, float], expected: dict[str, int]) -> None:
    assert whole_percents(shares) == expected


def test_neighbouring_segments_of_one_genre_are_one_stretch_with_the_mean_share_over_time() -> None:
    timeline = [
        {"start": 0.0, "end": 1.0, "probabilities": {"a": 0.6, "b": 0.4}},
        {"start": 1.0, "end": 4.0, "probabilities": {"a": 0.8, "b": 0.2}},
        {"start": 4.0, "end": 5.0, "probabilities": {"a": 0.1, "b": 0.9}},
        {"start": 5.0, "end": 6.0, "probabilities": {"a": 0.5, "b": 0.5}},
        {"start": 6.0, "end": 7.0, "probabilities": {"a": 0.7, "b": 0.3}},
    ]
    found = [
        (s.start, s.end, s.genre.slug if s.genre else None, s.share) for s in stretches(timeline, genre_of)
    ]
    assert found == [
        (0.0, 4.0, "a", pytest.approx(0.75)),
        (4.0, 5.0, "b", pytest.approx(0.9)),
        (5.0, 6.0, None, 0.0),
        (6.0, 7.0, "a", pytest.approx(0.7)),
    ]
    assert list(stretches([], genre_of)) == []


def test_the_nearer_the_stronger_the_words() -> None:
    said = [nearness("harmony", distance) for distance in (0.0, 0.5, 1.0, 1.2, 1.4, 2.0)]
    assert said == [
        "the same harmony",
        "very similar harmony",
        "similar harmony",
        "somewhat similar harmony",
        "little in common",
        "little in common",
    ]


def test_marks_of_an_axis_that_a_former_version_kept_too_close_are_left_out() -> None:
    analysis = Analysis(ticks={"mel": [[0.0769, "256 Hz"], [0.1538, "512 Hz"], [0.3069, "1 kHz"]]})
    assert ticks_of(analysis, "mel") == ((0.1538, "512 Hz"), (0.3069, "1 kHz"))
    assert ticks_of(analysis, "chroma") == ()
