"""What is to be fitted from the beginning, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifier.core.dataset import Examples
from classifier.fitting.loop.reports import OnEpoch

ShouldStop = Callable[[], bool]


class StoppedError(Exception):
    """The work was stopped on request before its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask:
    """One fit of one architecture.

    Attributes
    ----------
    train, valid
        The clips that are trained on, and those that temperature and threshold are fitted on.
    labels
        That targets are places in.
    names
        Of the clips of `train`, stored with the version's embeddings; None numbers them.
    epochs
        None for the usual number.
    work
        Folder for the files of the version.
    threads
        For the backend.
    should_stop
        Called before every batch; true to stop.
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

    def check_stopped(self) -> None:
        """Raise `StoppedError` where the work is to end."""
        if self.should_stop():
            raise StoppedError
