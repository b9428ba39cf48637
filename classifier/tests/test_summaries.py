"""Summary features from a process of their own: the same figures, one process for many, and its end."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from classifier import summaries
from classifier.core.summary import COLUMNS, summarise
from classifier.summaries import Summariser
from classifier.tests import processes, sounds


@pytest.fixture(autouse=True)
def none_of_another_test() -> None:
    """End the process that an earlier test left waiting for more."""
    summaries.shared.close()


@pytest.fixture
def summariser() -> Iterator[Summariser]:
    made = Summariser()
    yield made
    made.close()


def children() -> list[psutil.Process]:
    return processes.children("classifier.summaries")


@pytest.mark.slow
def test_the_figures_are_those_of_the_function_and_one_process_computes_them(
    summariser: Summariser,
) -> None:
    first, second = sounds.tune(3.0), sounds.noise(2.0)
    for samples in (first, second):
        found = summariser.summarise(samples)
        assert found.shape == (len(COLUMNS),)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, summarise(samples).astype(np.float32), rtol=1e-5, atol=1e-6)
    assert len(children()) == 1
    with pytest.raises(ValueError, match="non-empty"):
        summariser.summarise(np.zeros(0, np.float32))
    summariser.close()
    assert children() == []


@pytest.mark.slow
def test_a_process_that_ended_is_replaced(summariser: Summariser) -> None:
    samples = sounds.noise(1.0)
    expected = summariser.summarise(samples)
    (child,) = children()
    child.kill()
    child.wait()
    np.testing.assert_array_equal(summariser.summarise(samples), expected)
    assert [other.pid for other in children()] != [child.pid]


@pytest.mark.slow
def test_a_process_with_nothing_to_do_ends() -> None:
    summariser = Summariser(idle_seconds=0.2)
    summariser.summarise(sounds.noise(1.0))
    (child,) = children()
    child.wait(timeout=20)
    assert summariser.summarise(sounds.noise(1.0)).shape == (len(COLUMNS),)
    summariser.close()


def test_one_that_always_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="ended before it answered"):
        Summariser().summarise(sounds.noise(1.0))


def _in_a_fork(answers: multiprocessing.Queue[tuple[bool, int]], samples: np.ndarray) -> None:
    found = summaries.shared.summarise(samples)
    answers.put((bool(np.isfinite(found).all()), len(children())))
    summaries.shared.close()


@pytest.mark.slow
def test_a_forked_process_has_one_of_its_own() -> None:
    samples = sounds.noise(1.0)
    expected = summaries.shared.summarise(samples)
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[bool, int]] = context.Queue()
    fork = context.Process(target=_in_a_fork, args=(answers, samples))
    fork.start()
    assert answers.get(timeout=60) == (True, 1)
    fork.join()
    np.testing.assert_array_equal(summaries.shared.summarise(samples), expected)
    summaries.shared.close()
