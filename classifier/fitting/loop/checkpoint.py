"""The state of a fit after its last whole epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_NOTHING = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fit is.

    Attributes
    ----------
    epoch
        Whole epochs that are done.
    average
        The averaged weights.
    figures
        Loss and accuracy of the last epoch.
    """

    epoch: int
    average: list[Any]
    figures: tuple[float, float]


class Checkpoint:
    """Weights, optimiser and averaged weights of a compiled network, in one file that is replaced at once.

    Parameters
    ----------
    identity
        Names everything that decides the fit. A state with another identity is not restored.
    """

    def __init__(self, model: Any, folder: Path, *, identity: str) -> None:
        self._model = model
        self._file = folder / "state.npz"
        self._identity = identity
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, progress: Progress) -> None:
        """Replace the file."""
        values: dict[str, Any] = {
            f"v{i}": np.asarray(variable) for i, variable in enumerate(self._variables())
        }
        values |= {f"a{i}": value for i, value in enumerate(progress.average)}
        values["figures"] = np.array(progress.figures)
        partial = self._file.with_suffix(".partial.npz")
        np.savez(partial, epoch=progress.epoch, identity=self._identity, **values)
        partial.replace(self._file)

    def restore(self) -> Progress:
        """Put the saved state into the network; where there is none, give that of the first epoch's start."""
        present = [np.asarray(weights) for weights in self._model.get_weights()]
        if not self._file.exists():
            return Progress(0, present, _NOTHING)
        with np.load(self._file) as saved:
            if str(saved["identity"]) != self._identity:
                return Progress(0, present, _NOTHING)
            for i, variable in enumerate(self._variables()):
                variable.assign(saved[f"v{i}"])
            loss, accuracy = saved["figures"].tolist() if "figures" in saved else _NOTHING
            return Progress(
                int(saved["epoch"]), [saved[f"a{i}"] for i in range(len(present))], (loss, accuracy)
            )

    def _variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]
