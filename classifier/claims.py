"""What a figure must be to be shown: it may come with a version from another site, where anybody wrote it."""

from __future__ import annotations

MOST_COUNT = 10**9


def is_share(value: object) -> bool:
    """Tell whether a value is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number from 0 to `MOST_COUNT`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT


def is_interval(value: object) -> bool:
    """Tell whether a value is a share with a confidence interval."""
    return isinstance(value, dict) and all(is_share(value.get(name)) for name in ("value", "low", "high"))
