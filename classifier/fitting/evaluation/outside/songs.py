"""The protocol *modern*: songs that are not the training set's, of which only spectrograms were kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from classifier.core.dataset import DatasetError
from classifier.core.inference import Classifier, Prediction
from classifier.core.tagger_input import N_MELS
from classifier.fitting.evaluation.outside.figures import Answers, BoolArray, mean, range_without_each, share

FILE: Final = "logmel_dev.npz"

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Songs:
    """Songs with the inputs of both networks.

    Attributes
    ----------
    accepted
        Of each song, its label and then the other labels that a fair listener would accept.
    artists
        (n,) a number of each song's artist or group of artists.
    levels, floor_db
        As in `classifier.core.dataset.LogMelDataset`.
    tagger_levels, tagger_most
        (n, N_MELS, n_frames) uint8, of which 255 stands for (n,) ``log10(1 + 10000 power)``.
    """

    accepted: list[tuple[str, ...]]
    artists: list[int]
    levels: NDArray[np.uint8]
    floor_db: FloatArray
    tagger_levels: NDArray[np.uint8]
    tagger_most: FloatArray

    def db(self, row: int) -> FloatArray:
        """(n_mels, n_columns) decibels relative to the song's loudest cell."""
        return np.asarray(self.floor_db[row] * (1 - (self.levels[row] + np.float32(0.5)) / 256), np.float32)

    def log_mel(self, row: int) -> FloatArray:
        """(n_frames, N_MELS) spectrogram of the tagger."""
        return np.asarray(self.tagger_levels[row].T * (self.tagger_most[row] / 255), np.float32)


def read(folder: Path) -> Songs:
    """Read the songs.

    Raises
    ------
    DatasetError
        They are missing or malformed.
    """
    try:
        with (folder / FILE).open("rb") as file, np.load(file) as archive:
            more = [
                [word for word in text.split(",") if word] for text in archive["also_acceptable"].tolist()
            ]
            songs = Songs(
                accepted=[
                    (label, *words) for label, words in zip(archive["label"].tolist(), more, strict=True)
                ],
                artists=archive["artist_group"].tolist(),
                levels=archive["idx"],
                floor_db=archive["vmin_db"].astype(np.float32),
                tagger_levels=archive["mel96"],
                tagger_most=archive["mel96_max"].astype(np.float32),
            )
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DatasetError(f"The songs in {folder / FILE} cannot be read: {error}.") from error
    arrays = (songs.artists, songs.levels, songs.floor_db, songs.tagger_levels, songs.tagger_most)
    alike = {len(array) for array in arrays} == {len(songs.accepted)}
    if not alike or songs.tagger_levels.ndim != 3 or songs.tagger_levels.shape[1] != N_MELS:
        raise DatasetError(f"The songs in {folder / FILE} do not hold together.")
    if not songs.accepted:
        raise DatasetError(f"There are no songs in {folder / FILE}.")
    return songs


def measure(classifier: Classifier, folder: Path, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Measure a version on the songs of a folder.

    Raises
    ------
    DatasetError
        The songs are missing or malformed, or the version cannot be asked about spectrograms.
    """
    songs = read(folder)
    alone: list[Prediction] = []
    joined: list[Prediction] = []
    for row in range(len(songs.accepted)):
        on_progress(row, len(songs.accepted))
        own = classifier.predict_stored(songs.db(row))
        if own is None:
            raise DatasetError(f"{classifier.name} needs the sound itself, and only spectrograms were kept.")
        tagged = classifier.tag_spectrogram(songs.log_mel(row))
        together = own if tagged is None else classifier.predict_stored(songs.db(row), tagged=tagged)
        alone.append(own)
        joined.append(together or own)
    on_progress(len(songs.accepted), len(songs.accepted))
    inside = np.array([accepted[0] in classifier.labels for accepted in songs.accepted], bool)
    answers = Answers(joined, songs.accepted, songs.artists)
    content = {
        "songs": len(songs.accepted),
        "artists": len(set(songs.artists)),
        **_figures(answers, inside),
        "by_genre": _by_genre(answers, songs, inside),
        "by_style": _by_genre(answers, songs, ~inside),
        "without_each_artist": {
            "right": range_without_each(answers.right, songs.artists, among=inside),
            "right_when_sure": range_without_each(answers.right, songs.artists, among=inside & answers.sure),
            "others_sure": range_without_each(answers.sure, songs.artists, among=~inside),
        },
    }
    if classifier.uses_tagger:
        content["network_alone"] = _figures(Answers(alone, songs.accepted, songs.artists), inside)
    return content


def _figures(answers: Answers, inside: BoolArray) -> dict[str, Any]:
    def among(hits: BoolArray, rows: BoolArray) -> Any:
        return share(hits, answers.groups, among=rows)

    return {
        "genres": {
            **answers.figures(inside),
            "strictly_right": among(answers.strictly, inside),
            "strictly_right_when_sure": among(answers.strictly, inside & answers.sure),
            "none_said": among(answers.style, inside),
        },
        "others": {
            **answers.figures(~inside),
            "none_said": among(answers.style, ~inside),
        },
    }


def _by_genre(answers: Answers, songs: Songs, rows: BoolArray) -> dict[str, dict[str, Any]]:
    found = np.array([accepted[0] for accepted in songs.accepted])
    result = {}
    for label in sorted(set(found[rows].tolist())):
        these = rows & (found == label)
        result[label] = {
            "n": int(these.sum()),
            "right": mean(answers.right[these]),
            "sure": mean(answers.sure[these]),
            "right_when_sure": mean(answers.right[these & answers.sure]),
            "none_said": mean(answers.style[these]),
        }
    return result
