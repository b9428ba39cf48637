"""Data sets in the shared form, small enough for tests."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FIELDS = ("name", "genre", "artist", "repetition_group", "filtered_split")


def write_dataset(
    folder: Path,
    rows: Sequence[Sequence[str]],
    levels: NDArray[np.uint8],
    *,
    names: Sequence[str] | None = None,
    genres: Sequence[str] | None = None,
    floor_db: Sequence[float] | None = None,
) -> Path:
    """Write `tracks.csv` and `logmel_999.npz` into a folder, made where it is missing.

    Parameters
    ----------
    rows
        The `FIELDS` of each clip in the table.
    levels
        (n_clips, n_mels, n_columns) quantised decibels.
    names, genres, floor_db
        Of the clips in the archive; those of the rows, and -80 dB, unless told.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((FIELDS, *rows))
    np.savez(
        folder / "logmel_999.npz",
        name=np.array(names or [row[0] for row in rows]),
        genre=np.array(genres or [row[1] for row in rows]),
        idx=levels,
        vmin_db=np.array(floor_db or [-80] * len(levels), dtype=np.float32),
    )
    return folder
