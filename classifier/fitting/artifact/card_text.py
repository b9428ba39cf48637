"""Figures in the text of model cards and tables."""

from __future__ import annotations

from collections.abc import Mapping


def percent(value: float | None) -> str:
    """A share as a percentage; a dash for None."""
    return "–" if value is None else f"{100 * value:.1f} %"


def interval(figure: Mapping[str, float]) -> str:
    """A figure with its confidence interval."""
    return f"{percent(figure['value'])} ({percent(figure['low'])} to {percent(figure['high'])})"
