"""Progress of a fit, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_RECENT = 5


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Figures after one epoch.

    Attributes
    ----------
    epoch, epochs
        Its number, from 1, and how many there will be.
    loss, accuracy
        Means over the augmented training batches. Where several networks are fitted side by side, the mean
        over the networks, weighted as in the version.
    seconds, seconds_left
        Duration of this epoch, and the estimate for those that follow.
    val_loss, val_accuracy
        Of the averaged weights, which are what is kept, on the validation part; None where there is none.
    """

    epoch: int
    epochs: int
    loss: float
    seconds: float
    seconds_left: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None


OnEpoch = Callable[[EpochReport], None]


class EpochClock:
    """Times epochs and estimates the rest from the median of the latest ones."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._seconds: list[float] = []
        self._began = time.monotonic()

    def begin(self) -> None:
        """Start to time an epoch."""
        self._began = time.monotonic()

    def report(
        self,
        epoch: int,
        figures: tuple[float, float],
        validated: tuple[float, float] | None,
    ) -> EpochReport:
        """End an epoch.

        Parameters
        ----------
        figures, validated
            Loss and accuracy on the training batches and on the validation part.
        """
        self._seconds.append(time.monotonic() - self._began)
        val_loss, val_accuracy = validated or (None, None)
        return EpochReport(
            epoch=epoch,
            epochs=self._epochs,
            loss=figures[0],
            accuracy=figures[1],
            seconds=self._seconds[-1],
            seconds_left=float(np.median(self._seconds[-_RECENT:])) * (self._epochs - epoch),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
        )
