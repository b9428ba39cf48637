"""Counts and durations of all processes on all machines, kept together in Redis for ``/metrics``.

Counting is not worth a failure: while Redis is away nothing is counted. A Redis that forgot them starts at
zero, as counters of a process that was started again do.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from redis import RedisError

from genreweb import heartbeat

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper ends of the classes of durations, in seconds."""
_KEY = "genreweb:counters"
_TIMEOUT = 0.5
_SUM, _COUNT = "sum", "+Inf"

log = logging.getLogger(__name__)
Labels = tuple[str, ...]
Values = dict[Labels, float]
Durations = dict[Labels, dict[str, float]]


def increment(name: str, *labels: str) -> None:
    """Count one more."""
    _add({_field("count", name, labels): 1.0})


def observe(name: str, durations: Mapping[Labels, float]) -> None:
    """Count durations in seconds, each with its labels."""
    added: dict[str, float] = {}
    for labels, seconds in durations.items():
        added[_field("time", name, labels, _SUM)] = seconds
        added[_field("time", name, labels, _COUNT)] = 1.0
        # Each class on its own; they are added up when they are read.
        if (end := next((end for end in BUCKETS if seconds <= end), None)) is not None:
            added[_field("time", name, labels, str(end))] = 1.0
    _add(added)


def read() -> tuple[dict[str, Values], dict[str, Durations]]:
    """Give what was counted and what took how long, by name and labels.

    Raises
    ------
    RedisError, OSError
    """
    with heartbeat.connect() as client:
        stored: dict[bytes, bytes] = client.hgetall(_KEY)
    counts: dict[str, Values] = {}
    durations: dict[str, Durations] = {}
    for field, value in stored.items():
        kind, name, labels, *part = json.loads(field)
        if kind == "count":
            counts.setdefault(name, {})[tuple(labels)] = float(value)
        else:
            durations.setdefault(name, {}).setdefault(tuple(labels), {})[part[0]] = float(value)
    return counts, durations


def cumulated(durations: Mapping[str, float]) -> tuple[list[tuple[str, float]], float]:
    """Give, of the classes of one row, how many durations were at most so long; and their sum."""
    total, ends = 0.0, []
    for end in BUCKETS:
        total += durations.get(str(end), 0.0)
        ends.append((str(end), total))
    return [*ends, (_COUNT, durations.get(_COUNT, 0.0))], durations.get(_SUM, 0.0)


def _field(kind: str, name: str, labels: Labels, *part: str) -> str:
    return json.dumps([kind, name, labels, *part])


def _add(added: Mapping[str, float]) -> None:
    try:
        with heartbeat.connect(timeout=_TIMEOUT) as client, client.pipeline() as pipeline:
            for field, value in added.items():
                pipeline.hincrbyfloat(_KEY, field, value)
            pipeline.execute()
    except (RedisError, OSError) as error:
        log.debug("not counted: %s", error)
