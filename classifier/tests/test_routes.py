"""Routes between vectors: even waypoints on the arc, and the smallest steps over what there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from classifier.core.routes import shortest, waypoints


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_waypoints_lie_evenly_on_the_arc() -> None:
    start, end = on_circle(0, 80)
    assert waypoints(start, end, 3) == pytest.approx(on_circle(20, 40, 60), abs=1e-6)
    assert waypoints(start, end, 0).shape == (0, 2)
    for other in (start, -start):
        found = waypoints(start, other, 3)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)


def test_the_steps_are_even_and_forward() -> None:
    start, end = on_circle(0, 90)
    degrees = [61, 1, 30, 2, 3, 89, 88, 60]
    assert [degrees[place] for place in shortest(start, end, on_circle(*degrees), 2)] == [30, 60]
    everything = shortest(start, end, on_circle(*degrees), 50)
    assert [degrees[place] for place in everything] == sorted(degrees)
    assert shortest(start, end, on_circle(*degrees), 0) == []
    assert shortest(start, end, np.empty((0, 2), np.float32), 3) == []


def test_it_is_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(3)
    for _time in range(10):
        points = rng.normal(size=(7, 4)).astype(np.float32)
        start, end = rng.normal(size=(2, 4)).astype(np.float32)
        forward = np.argsort(points @ (end - start))

        def cost(chosen: tuple[int, ...]) -> float:
            route = np.stack([start, *points[list(chosen)], end]).astype(np.float64)  # noqa: B023
            return float(np.square(np.diff(route, axis=0)).sum())

        best = min(itertools.combinations(forward.tolist(), 3), key=cost)
        assert tuple(shortest(start, end, points, 3)) == best
