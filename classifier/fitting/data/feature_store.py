"""Features of many clips in one memory-mapped file: a fit reads only the clips that it draws.

The file holds the uint8 levels of one clip after the other, a table beside it the size of each. It is written
once, under another name, and never changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

LEVELS_FILE = "levels.bin"
TABLE_FILE = "table.npz"


class FeatureStoreError(ValueError):
    """The files are missing or damaged."""


class FeatureStoreWriter:
    """Writes clips one by one into a hidden folder beside `target`, which `close` puts in place.

    Raises
    ------
    OSError
        There is no room. What was written until then is removed by `discard`.
    """

    def __init__(self, target: Path, *, n_mels: int, n_summary: int) -> None:
        self._target = target
        self._work = target.with_name(f".{target.name}.{os.getpid()}.partial")
        self._work.mkdir(parents=True, exist_ok=True)
        self._file = (self._work / LEVELS_FILE).open("wb")
        self._n_mels, self._n_summary = n_mels, n_summary
        self._keys: list[str] = []
        self._columns: list[int] = []
        self._floors: list[float] = []
        self._summaries: list[FloatArray | None] = []

    def add(self, key: str, levels: NDArray[np.uint8], floor_db: float, summary: FloatArray | None) -> None:
        """Append one clip: (n_mels, n_columns) levels, the decibels of level 0, its summary features."""
        if levels.ndim != 2 or levels.shape[0] != self._n_mels or levels.dtype != np.uint8:
            raise FeatureStoreError(f"expected ({self._n_mels}, n) levels, got {levels.dtype} {levels.shape}")
        self._file.write(np.ascontiguousarray(levels).tobytes())
        self._keys.append(key)
        self._columns.append(levels.shape[1])
        self._floors.append(floor_db)
        self._summaries.append(summary)

    def close(self) -> None:
        """Finish the files and put the folder in place; one that is there already stays."""
        self._file.close()
        summary = np.full((len(self._keys), self._n_summary), np.nan, dtype=np.float32)
        for row, values in enumerate(self._summaries):
            if values is not None:
                summary[row] = values
        np.savez(
            self._work / TABLE_FILE,
            keys=np.array(self._keys, dtype=np.str_),
            columns=np.array(self._columns, dtype=np.int64),
            floor_db=np.array(self._floors, dtype=np.float32),
            summary=summary,
            n_mels=self._n_mels,
        )
        try:
            self._work.replace(self._target)
        except OSError:
            # Another process was first, with the same content under the same name.
            if not (self._target / TABLE_FILE).exists():
                raise
            self.discard()

    def discard(self) -> None:
        """Remove what was written so far."""
        self._file.close()
        shutil.rmtree(self._work, ignore_errors=True)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStore:
    """The features of many clips.

    Attributes
    ----------
    keys
        The key under which each row was added.
    floor_db
        (n,) decibels of level 0.
    summary
        (n, n_summary) float32; rows of NaN where a clip has none.
    """

    keys: tuple[str, ...]
    floor_db: FloatArray
    summary: FloatArray
    _levels: NDArray[np.uint8]
    _starts: NDArray[np.int64]
    _n_mels: int

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Map a folder that `FeatureStoreWriter` wrote.

        Raises
        ------
        FeatureStoreError
            A file is missing, or the two do not match.
        """
        try:
            with np.load(folder / TABLE_FILE, allow_pickle=False) as table:
                keys = tuple(table["keys"].tolist())
                columns, n_mels = table["columns"], int(table["n_mels"])
                floor_db, summary = table["floor_db"], table["summary"]
            # An empty file cannot be mapped.
            levels = np.memmap(folder / LEVELS_FILE, dtype=np.uint8, mode="r") if keys else None
        except (OSError, KeyError, ValueError) as error:
            raise FeatureStoreError(f"the features in {folder} cannot be read: {error}") from error
        starts = np.concatenate([[0], np.cumsum(columns * n_mels)]).astype(np.int64)
        mapped = np.empty(0, np.uint8) if levels is None else levels
        if starts[-1] != len(mapped) or not len(keys) == len(floor_db) == len(summary):
            raise FeatureStoreError(f"the files in {folder} do not belong together")
        return cls(keys, floor_db, summary, mapped, starts, n_mels)

    def __len__(self) -> int:
        return len(self.keys)

    def levels(self, row: int) -> NDArray[np.uint8]:
        """(n_mels, n_columns) uint8, mapped."""
        flat = self._levels[self._starts[row] : self._starts[row + 1]]
        return np.asarray(flat).reshape(self._n_mels, -1)

    def db(self, row: int) -> FloatArray:
        """(n_mels, n_columns) float32 decibels relative to the clip's loudest cell."""
        levels = self.levels(row).astype(np.float32)
        return np.asarray(self.floor_db[row] * (1 - (levels + 0.5) / 256), dtype=np.float32)

    def rows(self, chosen: Sequence[int]) -> Columns:
        """The decibels of some rows, as a sequence that computes each item on access."""
        return Columns(self, tuple(chosen))


class Columns(Sequence[FloatArray]):
    """(n_mels, n_columns) decibels by position; nothing is kept in memory."""

    def __init__(self, features: FeatureStore, rows: tuple[int, ...]) -> None:
        self._features = features
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> FloatArray: ...
    @overload
    def __getitem__(self, index: slice) -> Columns: ...
    def __getitem__(self, index: int | slice) -> FloatArray | Columns:
        if isinstance(index, slice):
            return Columns(self._features, self._rows[index])
        return self._features.db(self._rows[index])
