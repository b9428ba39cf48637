"""The data and folders of one fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Context:
    """The data and folders of one fit.

    Attributes
    ----------
    data
        Folder of the data set.
    release
        Folder of the release that is measured.
    columns
        Width of the pieces of a protocol that cuts clips; None where whole clips are classified.
    checkpoint
        Folder where a long fit may keep its state.
    report
        Takes a short text on the progress of a fit.
    """

    data: Path
    release: Path
    columns: int | None
    checkpoint: Path
    report: Callable[[str], None]
