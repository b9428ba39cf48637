"""Progress of a fit without epochs: how much of it is done, told by its parts as each of them ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

OnShare = Callable[[float], None]
"""Takes the share of the work that is done, from 0 to 1."""


def untold(_share: float) -> None:
    """Take a share that nobody asked for."""


def between(begin: float, end: float, on_share: OnShare) -> OnShare:
    """Give what a part reports its own share to, where it is this stretch of the whole."""
    return lambda share: on_share(begin + (end - begin) * share)


def each_percent(on_share: OnShare) -> OnShare:
    """Report a share only where it has grown by a hundredth or the work is done: clips may be very many."""
    last = 0.0

    def report(share: float) -> None:
        nonlocal last
        if share >= last + 0.01 or (share >= 1.0 > last):
            last = share
            on_share(share)

    return report


# The stretches of a quick run's fit. How much of the whole each is was measured on some twenty clips, where
# importing TensorFlow and writing the network take most of the time; that a part is done is always so.
EMBEDDINGS: Final = (0.05, 0.1)
HEAD: Final = (0.1, 0.9)
