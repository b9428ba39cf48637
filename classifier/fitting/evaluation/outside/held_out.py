"""The protocol *filtered-sound*: the test clips that have sound, by each part of the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifier.core import dataset
from classifier.core.audio import AudioError, decode
from classifier.core.dataset import Clip, DatasetError
from classifier.core.ensemble import Ensemble
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction, ReleaseError
from classifier.core.verdict import join
from classifier.fitting.evaluation.outside.figures import Answers, share

LEAST_SECONDS: Final = 14.5


def measure(classifier: Classifier, folder: Path, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Measure a version on the test clips of a data set that have sound.

    Raises
    ------
    DatasetError
        The data set cannot be read or has no such clip.
    ReleaseError
        The version is not joined with the tagger.
    """
    ensemble = classifier.ensemble
    if not classifier.uses_tagger or ensemble is None:
        raise ReleaseError(
            f"{classifier.name} is not joined with the tagger, or the tagger is not installed."
        )
    whole = dataset.load(folder)
    clips = [whole.clips[row] for row in whole.part("test")]
    clips = [clip for clip in clips if _sound(folder, clip).exists()]
    if not clips:
        raise DatasetError(f"No clip of the test part has sound under {folder / 'audio'}.")
    chosen: list[Clip] = []
    answers: list[tuple[Prediction, Prediction, str, str]] = []
    for place, clip in enumerate(clips):
        on_progress(place, len(clips))
        try:
            with _sound(folder, clip).open("rb") as file:
                audio = decode(file)
        except (OSError, AudioError) as error:
            raise DatasetError(f"The sound of {clip.name} cannot be read: {error}.") from error
        if audio.info.duration >= LEAST_SECONDS:
            features = extract(audio.samples)
            own = classifier.predict(features.mel_power, duration=features.duration)
            tagged = classifier.tag(audio.samples)
            joined = classifier.predict(features.mel_power, duration=features.duration, tagged=tagged)
            chosen.append(clip)
            answers.append((joined, own, *_by_part(ensemble, joined)))
    on_progress(len(clips), len(clips))
    if not chosen:
        raise DatasetError(f"No clip of the test part has {LEAST_SECONDS:g} s of sound.")
    return _figures(chosen, answers)


def _by_part(ensemble: Ensemble, joined: Prediction) -> tuple[str, str]:
    """The genres that the head alone and the tags alone name."""
    if joined.tags is None:
        raise ReleaseError("The prediction was not joined with the tagger.")
    even = dict.fromkeys(joined.probabilities, 1 / len(joined.probabilities))
    tags = join(even, joined.tags, None, replace(ensemble.params, network=0.0, head=0.0)).label
    head = ensemble.head.probabilities(joined.tags.row) if ensemble.head else {"": 1.0}
    return max(head, key=head.__getitem__), tags


def _figures(
    clips: Sequence[Clip], answers: Sequence[tuple[Prediction, Prediction, str, str]]
) -> dict[str, Any]:
    # A clip whose artist is unknown is a group of its own.
    artists = [("artist", clip.artist) if clip.artist else ("clip", clip.name) for clip in clips]
    accepted = [[clip.genre] for clip in clips]
    joined, own, head, tags = zip(*answers, strict=True)

    def right(labels: Sequence[str]) -> Any:
        hits = np.array([label == clip.genre for label, clip in zip(labels, clips, strict=True)], bool)
        return share(hits, artists)

    together = Answers(joined, accepted, artists)
    genres = sorted({clip.genre for clip in clips})
    found = np.array([clip.genre for clip in clips])
    return {
        "clips": len(clips),
        "joined": together.figures(),
        "network_alone": Answers(own, accepted, artists).figures(),
        "head_alone": {"right": right(head)},
        "tags_alone": {"right": right(tags)},
        "by_genre": {
            genre: {
                "n": int((found == genre).sum()),
                "right": float(together.right[found == genre].mean()),
            }
            for genre in genres
        },
    }


def _sound(folder: Path, clip: Clip) -> Path:
    return folder / "audio" / clip.genre / f"{clip.name}.opus"
