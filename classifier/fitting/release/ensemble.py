"""Joining a release with the tagger: a head on its features, and how the parts are weighed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from classifier.core.artifact import METADATA_FILE, TRAINING_FOLDER, read_metadata
from classifier.core.ensemble import METADATA_KEY, entry_for
from classifier.core.tagger import Tagger
from classifier.core.verdict import DEFAULT_PARAMS, VerdictParams
from classifier.fitting.artifact.metadata import write_metadata
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.head_replay import write_head_replay
from classifier.fitting.tagger_head import fit_head, read_examples, write_head

OnClip = Callable[[int, int], None]


def has_sound(data: Path) -> bool:
    """Whether a data folder holds sound, and not only spectrograms."""
    return any((data / "audio").glob("*/*"))


def add_ensemble(
    folder: Path,
    *,
    data: Path,
    tagger: Tagger,
    params: VerdictParams = DEFAULT_PARAMS,
    on_clip: OnClip = lambda done, total: None,
) -> None:
    """Fit a head on the sound of a data folder and join the release in `folder` with the tagger.

    The network and its figures stay as they are.

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
    )
    entry["trained_on"] = stored["trained_on"]
    write_metadata(folder, {**metadata, METADATA_KEY: entry}, card=model_card)


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
