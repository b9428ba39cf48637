"""Checks of the metadata of an imported version, before any page shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from classifier.claims import is_count, is_interval, is_share
from training.errors import TrainingError

_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
MOST_CLIPS = 20_000
MOST_CHANNELS = 64


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Check the parts of metadata that pages and comparisons read; what they do not read may say anything.

    Raises
    ------
    TrainingError
        ``bundle_metadata`` with the part that makes no sense.
    """
    if not all(_can_be_kept(leaf) for leaf in _leaves(metadata)):
        raise _refused("text")
    labels: list[str] = metadata["labels"]
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("labels")
    for part in ("test", "validation"):
        if part in metadata and not _is_measured(metadata[part], labels):
            raise _refused(part)
    checks = {
        "test_predictions": _are_predictions,
        "test_truths": _are_truths,
        "test_channels": _are_channels,
        "robustness": lambda value: isinstance(value, dict),
        "trained_on": lambda value: isinstance(value, dict),
        "test_accuracy_at_60_percent_coverage": is_share,
    }
    for part, holds in checks.items():
        if metadata.get(part) is not None and not holds(metadata[part]):
            raise _refused(part)


def _refused(part: str) -> TrainingError:
    return TrainingError("bundle_metadata", {"what": part})


def _can_be_kept(leaf: object) -> bool:
    """Tell whether the database takes a value: no NUL, no half of a character, no endless number."""
    if isinstance(leaf, str):
        return "\0" not in leaf and not any("\ud800" <= letter <= "\udfff" for letter in leaf)
    return not isinstance(leaf, float) or math.isfinite(leaf)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _is_measured(value: object, labels: list[str]) -> bool:
    """Tell whether a value is what an evaluation gives: intervals, recalls, a square of counts."""
    if not isinstance(value, dict):
        return False
    recall, confusion = value.get("recall"), value.get("confusion")
    return (
        is_count(value.get("n"))
        and all(is_interval(value.get(name)) for name in ("accuracy", "macro_f1"))
        and is_share(value.get("calibration_error"))
        and isinstance(recall, dict)
        # A genre without clips has none.
        and recall.keys() == set(labels)
        and all(found is None or is_share(found) for found in recall.values())
        and isinstance(confusion, list)
        and len(confusion) == len(labels)
        and all(isinstance(row, list) and len(row) == len(labels) for row in confusion)
        and all(is_count(cell) for row in confusion for cell in row)
    )


def _are_predictions(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MOST_CLIPS
        and all(
            len(name) <= 200
            and isinstance(said, list)
            and len(said) == 2
            and isinstance(said[0], str)
            and len(said[0]) <= 40
            and is_share(said[1])
            for name, said in value.items()
        )
    )


def _are_truths(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MOST_CLIPS
        and all(len(name) <= 200 for name in value)
        and all(isinstance(label, str) and len(label) <= 40 for label in value.values())
    )


def _are_channels(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MOST_CHANNELS
        and all(
            isinstance(row, dict)
            and all(is_share(row.get(name)) for name in ("accuracy", "confident"))
            # Of no answer at all, none is right.
            and (not row["confident"] or is_share(row.get("confident_accuracy")))
            for row in value.values()
        )
    )
