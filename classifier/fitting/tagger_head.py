"""The head on the tagger's embedding: fitted on sound in seconds, stored beside a release.

Only clips of the train and validation parts are used, the whole ones and short excerpts of others, so that
every genre has some.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import AudioLimits, decode
from classifier.core.dataset import DatasetError
from classifier.core.tagger import Tagger
from classifier.core.verdict import HEAD_FILE, TaggerHead, pool_tags
from classifier.fitting.artifact.arrays import write_arrays

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

PARTS: Final = ("train", "valid")
_LIMITS = AudioLimits(min_duration=0.5)
_MOST_STEPS = 3000


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How a head is fitted.

    Attributes
    ----------
    inverse_penalty
        scikit-learn's ``C``, for rows scaled to unit deviation.
    excerpt
        How much an excerpt of some seconds counts beside a whole clip.
    """

    inverse_penalty: float = 0.001
    excerpt: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class HeadExamples:
    """What a head is fitted on.

    Attributes
    ----------
    rows
        (n, n_features) as `pool_tags` gives them.
    targets
        (n,) places in `labels`.
    shares
        (n,) how much each counts among those of its genre.
    names
        Of the n clips; () where they have none.
    """

    rows: FloatArray
    targets: IntArray
    shares: NDArray[np.float64]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()


def read_examples(
    data: Path,
    tagger: Tagger,
    labels: Sequence[str],
    *,
    recipe: HeadRecipe = HeadRecipe(),
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExamples:
    """Tag the sound of a data folder: ``audio`` and ``audio_short``, by genre, as ``tracks.csv`` names it.

    Raises
    ------
    DatasetError
        The table is missing or there is no sound.
    """
    chosen = chosen_clips(data, labels)
    if not chosen:
        raise DatasetError(f"There is no sound of the train and validation parts in {data}.")
    rows = []
    for done, (path, _, _) in enumerate(chosen):
        with path.open("rb") as file:
            samples = decode(file, limits=_LIMITS).samples
        rows.append(pool_tags(tagger.tag(samples, networks=("msd",)), version=tagger.version).row)
        on_clip(done + 1, len(chosen))
    return HeadExamples(
        rows=np.stack(rows),
        targets=np.array([labels.index(genre) for _, genre, _ in chosen], np.intp),
        shares=np.array([recipe.excerpt if short else 1.0 for _, _, short in chosen]),
        labels=tuple(labels),
        names=tuple(path.stem for path, _, _ in chosen),
    )


def chosen_clips(data: Path, labels: Sequence[str]) -> list[tuple[Path, str, bool]]:
    """Files of clips of the right parts: path, genre, and whether it is only an excerpt."""
    try:
        with (data / "tracks.csv").open(newline="", encoding="utf-8") as file:
            genres = {
                row["name"]: row["genre"] for row in csv.DictReader(file) if row["filtered_split"] in PARTS
            }
    except (OSError, KeyError) as error:
        raise DatasetError(f"The table of clips cannot be read: {error}.") from error
    chosen: list[tuple[Path, str, bool]] = []
    seen: set[str] = set()
    for folder in ("audio", "audio_short"):
        for path in sorted((data / folder).glob("*/*")):
            genre = genres.get(path.stem)
            if genre in labels and path.stem not in seen:
                seen.add(path.stem)
                chosen.append((path, str(genre), folder == "audio_short"))
    return chosen


def fit_head(examples: HeadExamples, *, tagger: str, recipe: HeadRecipe = HeadRecipe()) -> TaggerHead:
    """Fit a multinomial logistic regression in which every genre counts as much as every other.

    Labels without an example are left out of the head.

    Parameters
    ----------
    tagger
        `Tagger.version` of what made the rows.

    Raises
    ------
    ValueError
        Fewer than two genres have examples.
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(examples.targets)
    if len(present) < 2:
        raise ValueError("a head needs examples of two genres at least")
    centre = examples.rows.mean(axis=0, dtype=np.float64)
    scale = examples.rows.std(axis=0, dtype=np.float64) + 1e-6
    model = LogisticRegression(C=recipe.inverse_penalty, max_iter=_MOST_STEPS, class_weight="balanced")
    model.fit((examples.rows - centre) / scale, examples.targets, sample_weight=examples.shares)
    weights, biases = model.coef_.T, model.intercept_
    if len(present) == 2:  # scikit-learn then keeps the difference of the two only
        weights, biases = np.hstack([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
    weights = weights / scale[:, np.newaxis]
    labels = [examples.labels[i] for i in present]
    return TaggerHead(weights, biases - centre @ weights, labels, tagger)


def write_head(
    head: TaggerHead, folder: Path, *, trained_on: Mapping[str, int], recipe: HeadRecipe = HeadRecipe()
) -> dict[str, Any]:
    """Store a head and give the entry for the metadata of the release that it lies beside.

    Parameters
    ----------
    trained_on
        How many clips of each label.
    """
    metadata = {
        "labels": list(head.labels),
        "tagger": head.tagger,
        "trained_on": dict(trained_on),
        "recipe": asdict(recipe),
    }
    return write_arrays(folder / HEAD_FILE, metadata, weights=head.weights, biases=head.biases)
