"""The head for recordings: fitted on simulated recordings of the clips of the tagger's head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, AudioLimits, decode
from classifier.core.dataset import DatasetError
from classifier.core.recordings import RECORDING_HEAD_FILE, input_version, recording_row, tag_equalised
from classifier.core.tagger import Tagger
from classifier.core.verdict import TaggerHead
from classifier.fitting.artifact.arrays import write_arrays
from classifier.fitting.data.recordings import simulated_recording
from classifier.fitting.data.talk import voices
from classifier.fitting.tagger_head import HeadExamples, HeadRecipe, chosen_clips, fit_head

EXCERPT_SECONDS: Final = 3.2
"""Of each clip: a little more than what the tagger looks at in one piece."""
_LIMITS = AudioLimits(min_duration=0.5)


@dataclass(frozen=True, slots=True)
class RecordingRecipe:
    """How the head is fitted.

    Attributes
    ----------
    rounds
        Recordings of each excerpt of some seconds, each with another room, loudspeaker and crowd; of each
        whole clip twice as many.
    voices
        How many voices all crowds are made of.
    inverse_penalty
        scikit-learn's ``C``, for embeddings scaled to unit deviation.
    seed
        Of all of it.
    """

    rounds: int = 9
    voices: int = 80
    inverse_penalty: float = 0.001
    seed: int = 11


def simulated_examples(
    data: Path,
    tagger: Tagger,
    labels: Sequence[str],
    *,
    recipe: RecordingRecipe = RecordingRecipe(),
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExamples:
    """Embeddings of simulated recordings of the clips in a data folder, equalised as in service.

    Raises
    ------
    DatasetError
        The table is missing or there is no sound.
    """
    chosen = chosen_clips(data, labels)
    if not chosen:
        raise DatasetError(f"There is no sound of the train and validation parts in {data}.")
    rng = np.random.default_rng(recipe.seed)
    crowd = voices(recipe.voices, rng)
    rows, targets = [], []
    for done, (path, genre, short) in enumerate(chosen):
        with path.open("rb") as file:
            samples = decode(file, limits=_LIMITS).samples
        for _ in range(recipe.rounds if short else 2 * recipe.rounds):
            rows.append(_row(samples, crowd, tagger, rng))
            targets.append(labels.index(genre))
        on_clip(done + 1, len(chosen))
    return HeadExamples(
        rows=np.stack(rows),
        targets=np.array(targets, np.intp),
        shares=np.ones(len(rows)),
        labels=tuple(labels),
    )


def fit_recording_head(
    examples: HeadExamples, *, tagger: str, recipe: RecordingRecipe = RecordingRecipe()
) -> TaggerHead:
    """Fit a multinomial logistic regression on embeddings.

    Raises
    ------
    ValueError
        Fewer than two genres have examples.
    """
    return fit_head(
        examples, tagger=input_version(tagger), recipe=HeadRecipe(inverse_penalty=recipe.inverse_penalty)
    )


def write_recording_head(
    head: TaggerHead, folder: Path, *, examples: int, recipe: RecordingRecipe = RecordingRecipe()
) -> dict[str, Any]:
    """Store a head beside a release; give its metadata with the file's SHA-256."""
    metadata = {
        "labels": list(head.labels),
        "tagger": head.tagger,
        "examples": examples,
        "recipe": asdict(recipe),
    }
    return write_arrays(folder / RECORDING_HEAD_FILE, metadata, weights=head.weights, biases=head.biases)


def _row(
    samples: NDArray[np.float32],
    crowd: Sequence[NDArray[np.float64]],
    tagger: Tagger,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    length = int(EXCERPT_SECONDS * SAMPLE_RATE)
    begin = int(rng.integers(max(len(samples) - length, 0) + 1))
    # A shorter one is repeated before the noise is added: noise that repeats would be known by that.
    excerpt = np.resize(samples[begin : begin + length], length).astype(np.float64)
    recorded = simulated_recording(excerpt, crowd, rng).astype(np.float32)
    return recording_row(tag_equalised(tagger, recorded, most=1))
