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
    tagged
        The clips of `train` and others after them that have no label but targets from the tagger; None where
        `train` is all there is.
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
    tagged: Examples | None = None
    names: Sequence[str] | None = None

    @property
    def fitted_on(self) -> Examples:
        """The clips that a network is fitted on."""
        return self.train if self.tagged is None else self.tagged

    def check_stopped(self) -> None:
        """Raise `StoppedError` where the work is to end."""
        if self.should_stop():
            raise StoppedError
