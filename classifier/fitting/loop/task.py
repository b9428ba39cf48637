"""What is to be fitted from the beginning, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifier.core.dataset import Examples
from classifier.fitting.loop.epochs import EpochReport

OnEpoch = Callable[[EpochReport], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask:
    """One fit of one architecture.

    Attributes
    ----------
    train, valid
        What is learnt, and what temperature and threshold are fitted on.
    names
        Of the clips of `train`, for what the version remembers of them; None numbers them.
    epochs
        None for the usual number.
    work
        Folder for the files of the version.
    threads
        For the backend.
    should_stop
        Asked before every batch.
    """

    train: Examples
    valid: Examples
    labels: Sequence[str]
    work: Path
    seed: int
    threads: int
    on_epoch: OnEpoch
    should_stop: ShouldStop
    epochs: int | None = None
    names: Sequence[str] | None = None
