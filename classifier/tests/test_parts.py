"""Progress of a fit that has no epochs."""

from __future__ import annotations

import pytest

from classifier.fitting.loop.parts import between, each_percent


def test_a_part_reports_its_stretch_of_the_whole() -> None:
    told: list[float] = []
    part = between(0.1, 0.9, between(0.5, 1.0, told.append))
    for share in (0.0, 0.5, 1.0):
        part(share)
    assert told == pytest.approx([0.55, 0.75, 0.95])


def test_many_small_steps_are_at_most_a_hundred_reports_and_the_last_is_never_lost() -> None:
    told: list[float] = []
    report = each_percent(told.append)
    for done in range(10_000):
        report(done / 10_000)
    report(1.0)
    report(1.0)
    assert len(told) <= 101
    assert told == sorted(told)
    assert told.count(1.0) == 1


def test_what_is_told_never_goes_back() -> None:
    told: list[float] = []
    report = each_percent(told.append)
    for share in (0.4, 0.2, 0.405, 0.5):
        report(share)
    assert told == [0.4, 0.5]
