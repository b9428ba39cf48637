"""The training set: log-mel columns of known clips, and its splits."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Part = Literal["train", "valid", "test"]


class DatasetError(ValueError):
    """The data set is missing or malformed; the message says why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip. Clips of one `repetition_group` contain the same recording; empty values are unknown."""

    name: str
    genre: str
    artist: str
    repetition_group: str
    part: str


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and targets on which a model is fitted or evaluated.

    Attributes
    ----------
    db
        One (n_mels, n_columns) float32 array per track, in dB relative to any reference.
    targets
        (n,) index of each track's label; -1 where it has none and `tags` are all that is known of it.
    summary
        (n, 57) summary features, for the methods that use them; rows of NaN if missing.
    tags
        (n, n_targets) what a network is to predict beside the label, from the tagger; rows of NaN where that
        is unknown. None where nothing is known.
    """

    db: Sequence[FloatArray]
    targets: NDArray[np.intp]
    summary: FloatArray | None = None
    tags: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.db)


@dataclass(frozen=True, slots=True)
class LogMelDataset:
    """Quantised log-mel columns of a set of clips.

    Attributes
    ----------
    clips
        One entry per row of `levels`.
    levels
        (n_clips, n_mels, n_columns) uint8.
    floor_db
        (n_clips,) decibels that level 0 stands for, relative to the clip's loudest cell.
    labels
        The genres in the order of the network's outputs.
    """

    clips: Sequence[Clip]
    levels: NDArray[np.uint8]
    floor_db: FloatArray
    labels: tuple[str, ...]

    def db(self, index: int) -> FloatArray:
        """(n_mels, n_columns) decibels relative to the clip's loudest cell."""
        return np.asarray(
            self.floor_db[index] * (1 - (self.levels[index].astype(np.float32) + 0.5) / 256), dtype=np.float32
        )

    def part(self, name: Part) -> list[int]:
        """Rows of one part of the filtered, artist-disjoint split (Kereliuk, Sturm and Larsen, 2015).

        Raises
        ------
        DatasetError
            If a recording is in this part and in another one.
        """
        inside = [i for i, clip in enumerate(self.clips) if clip.part == name]
        groups = {self.clips[i].repetition_group for i in inside} - {""}
        elsewhere = {clip.repetition_group for clip in self.clips if clip.part not in {name, ""}}
        if shared := groups & elsewhere:
            raise DatasetError(
                f"Repetition groups {sorted(shared)} are split between {name} and another part."
            )
        return inside

    def examples(self, rows: Iterable[int]) -> Examples:
        """Decibels and targets of the given rows."""
        chosen = list(rows)
        return Examples(
            db=[self.db(i) for i in chosen],
            targets=np.array([self.labels.index(self.clips[i].genre) for i in chosen], dtype=np.intp),
        )


def load(folder: Path) -> LogMelDataset:
    """Read `tracks.csv` and `logmel_999.npz` from a folder.

    Raises
    ------
    DatasetError
        If a file is missing, or the two files disagree about the clips or genres.
    """
    try:
        with (folder / "tracks.csv").open(newline="", encoding="utf-8") as file:
            rows = {row["name"]: row for row in csv.DictReader(file)}
        with np.load(folder / "logmel_999.npz") as archive:
            names, genres = archive["name"].tolist(), archive["genre"].tolist()
            levels, floor_db = archive["idx"], archive["vmin_db"].astype(np.float32)
        clips = [
            Clip(
                name=name,
                genre=rows[name]["genre"],
                artist=rows[name]["artist"],
                repetition_group=rows[name]["repetition_group"],
                part=rows[name]["filtered_split"],
            )
            for name in names
        ]
    except (OSError, KeyError) as error:
        raise DatasetError(f"The data set in {folder} cannot be read: {error}.") from error
    if [clip.genre for clip in clips] != genres:
        raise DatasetError(f"tracks.csv and logmel_999.npz in {folder} name different genres.")
    return LogMelDataset(clips=clips, levels=levels, floor_db=floor_db, labels=tuple(sorted(set(genres))))
