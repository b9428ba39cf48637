"""The protocol *microphone*: clips that were played in a room and recorded, beside the clips themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifier.core.analysis import classify
from classifier.core.audio import SAMPLE_RATE, AudioError, decode
from classifier.core.dataset import DatasetError
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction
from classifier.fitting.evaluation.outside.figures import Answers, mean, share

_NAME: Final = re.compile(r"(?P<clip>(?P<genre>[a-z]+)\.\d+)\.at(?P<start>\d+)s\.flac")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording: which clip it is of, and at which second of the clip it starts."""

    path: Path
    clip: str
    genre: str
    start: int


def read(folder: Path) -> list[Recording]:
    """List the recordings of a folder, by their names.

    Raises
    ------
    DatasetError
        There is none.
    """
    found = [(path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.flac"))]
    recordings = [
        Recording(path, match["clip"], match["genre"], int(match["start"])) for path, match in found if match
    ]
    if not recordings:
        raise DatasetError(f"There is no recording named like genre.00000.at0s.flac in {folder}.")
    return recordings


def measure(
    classifier: Classifier, folder: Path, clean: Path, on_progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Measure a version on the recordings of a folder.

    Parameters
    ----------
    clean
        Holds the clips, by genre.

    Raises
    ------
    DatasetError
        A file is missing or cannot be read, or a genre is none of the version's.
    """
    recordings = read(folder)
    if strange := {recording.genre for recording in recordings} - set(classifier.labels):
        raise DatasetError(f"{classifier.name} does not know {', '.join(sorted(strange))}.")
    recorded, played = [], []
    for place, recording in enumerate(recordings):
        on_progress(place, len(recordings))
        try:
            with recording.path.open("rb") as file:
                recorded.append(classify(file, classifier=classifier))
            played.append(_of_clip(classifier, recording, clean))
        except (OSError, AudioError) as error:
            raise DatasetError(f"{recording.path.name} or its clip cannot be read: {error}.") from error
    on_progress(len(recordings), len(recordings))
    accepted = [[recording.genre] for recording in recordings]
    clips = [recording.clip for recording in recordings]
    answers, before = Answers(recorded, accepted, clips), Answers(played, accepted, clips)
    same = np.array([one.label == other.label for one, other in zip(recorded, played, strict=True)], bool)
    genres = np.array([recording.genre for recording in recordings])
    return {
        "recordings": len(recordings),
        "clips": len(set(clips)),
        **answers.figures(),
        "no_music": share(~answers.music, clips),
        "as_clean": share(same, clips),
        "as_clean_or_unsure": share(same | ~answers.sure, clips),
        "clean": before.figures(),
        "by_genre": {
            str(genre): {
                "n": int((genres == genre).sum()),
                "right": mean(answers.right[genres == genre]),
                "sure": mean(answers.sure[genres == genre]),
                "right_when_sure": mean(answers.right[(genres == genre) & answers.sure]),
            }
            for genre in sorted(set(genres.tolist()))
        },
    }


def _of_clip(classifier: Classifier, recording: Recording, clean: Path) -> Prediction:
    """The prediction for what was played: as many seconds of the clip as were recorded."""
    with recording.path.open("rb") as file:
        length = decode(file).samples.size
    with (clean / recording.genre / f"{recording.clip}.opus").open("rb") as file:
        samples = decode(file).samples[recording.start * SAMPLE_RATE :][:length]
    features = extract(samples)
    return classifier.predict(features.mel_power, duration=features.duration, samples=samples)
