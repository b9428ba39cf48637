"""Joining a release with the tagger: a head on its features, and how the parts are weighed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from classifier.core.artifact import METADATA_FILE, TRAINING_FOLDER, read_metadata
from classifier.core.ensemble import METADATA_KEY, entry_for
from classifier.core.tagger import Tagger
from classifier.core.verdict import DEFAULT_PARAMS, VerdictParams
from classifier.fitting import music_detection, recording_head
from classifier.fitting.artifact.metadata import write_metadata
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.head_replay import write_head_replay
from classifier.fitting.music_detection import DetectorRecipe
from classifier.fitting.recording_head import RecordingRecipe
from classifier.fitting.tagger_head import HeadExamples, fit_head, read_examples, write_head

OnClip = Callable[[int, int], None]
_DETECTOR_SEED: Final = 7
_DETECTOR: Final = DetectorRecipe()
_RECORDINGS: Final = RecordingRecipe()


def has_sound(data: Path) -> bool:
    """Whether a data folder holds sound, and not only spectrograms."""
    return any((data / "audio").glob("*/*"))


def add_ensemble(
    folder: Path,
    *,
    data: Path,
    tagger: Tagger,
    params: VerdictParams = DEFAULT_PARAMS,
    other_sounds: Path | None = None,
    detector: DetectorRecipe = _DETECTOR,
    recordings: RecordingRecipe = _RECORDINGS,
    on_clip: OnClip = lambda done, total: None,
) -> None:
    """Fit a head and a detector of music, and join the release in `folder` with the tagger.

    The network and its figures stay as they are.

    Parameters
    ----------
    data
        Data folder with sound.
    other_sounds
        Folder of recorded sounds that are not music, one folder for each source.
    detector, recordings
        How the detector and the head for recordings are fitted.

    Raises
    ------
    DatasetError
        The data folder has no sound of the train and validation parts.
    """
    metadata = read_metadata(folder)
    examples = read_examples(data, tagger, metadata["labels"], on_clip=on_clip)
    counts = np.bincount(examples.targets, minlength=len(examples.labels)).tolist()
    head = fit_head(examples, tagger=tagger.version)
    stored = write_head(head, folder, trained_on=dict(zip(examples.labels, counts, strict=True)))
    training = folder / TRAINING_FOLDER
    entry = entry_for(
        params,
        tagger=tagger.version,
        head_sha256=stored["sha256"],
        replay_sha256=write_head_replay(
            examples, training if training.is_dir() else folder, tagger=tagger.version
        ),
        detector_sha256=_write_detector(folder, data, tagger, examples, other_sounds, recipe=detector),
        recording_head_sha256=_write_recording_head(
            folder, data, tagger, examples.labels, recipe=recordings, on_clip=on_clip
        ),
    )
    entry["trained_on"] = stored["trained_on"]
    write_metadata(folder, {**metadata, METADATA_KEY: entry}, card=model_card)


def _write_recording_head(
    folder: Path,
    data: Path,
    tagger: Tagger,
    labels: Sequence[str],
    *,
    recipe: RecordingRecipe,
    on_clip: OnClip,
) -> str:
    """Fit the head for recordings, store it and give its hash."""
    examples = recording_head.simulated_examples(data, tagger, labels, recipe=recipe, on_clip=on_clip)
    head = recording_head.fit_recording_head(examples, tagger=tagger.version, recipe=recipe)
    stored = recording_head.write_recording_head(head, folder, examples=len(examples.targets), recipe=recipe)
    return str(stored["sha256"])


def _write_detector(
    folder: Path,
    data: Path,
    tagger: Tagger,
    examples: HeadExamples,
    other_sounds: Path | None,
    *,
    recipe: DetectorRecipe,
) -> str:
    """Fit the detector of music beside a head, store it and give its hash."""
    rng = np.random.default_rng(_DETECTOR_SEED)
    quieter = music_detection.quieter_music(data, examples.labels, rng, recipe=recipe)
    tunes = music_detection.synthetic_music(rng, recipe=recipe)
    music = np.concatenate(
        [examples.rows, music_detection.rows_of(quieter, tagger), music_detection.rows_of(tunes, tagger)]
    )
    sounds = music_detection.other_sounds(rng, folder=other_sounds, recipe=recipe)
    other = music_detection.rows_of(sounds, tagger)
    detector = music_detection.fit_detector(music, other, tagger=tagger.version, recipe=recipe)
    counts = {"music": len(music), "other": len(other)}
    stored = music_detection.write_detector(detector, folder, trained_on=counts, recipe=recipe)
    return str(stored["sha256"])


def with_network_of(former: Path, out: Path) -> None:
    """Make a release folder with the network of another one, under its own name and date.

    Raises
    ------
    ReleaseError
        `former` is no release.
    """
    read_metadata(former)
    shutil.copytree(former, out)
    metadata = json.loads((out / METADATA_FILE).read_text(encoding="utf-8"))
    metadata |= {"name": out.name, "date": datetime.now(UTC).date().isoformat(), "network_of": former.name}
    write_metadata(out, metadata, card=model_card)
